"""`firth evaluate`: encoders side by side on files of one's own, with no project around."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result
from usage_examples import bert, draw, examples_of, vectors

from firth.bert.folder import save
from firth.cli import app
from firth.commands.evaluate import _table
from firth.commands.task_options import seeds_of
from firth.config.load import preset_text
from firth.encode.interchange import write_hf
from firth.errors import FirthError
from firth.word2vec.matrix_files import save_matrices


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where two models lie, and no project."""
    trained = vectors()
    save_matrices(tmp_path / "words", trained.vocabulary, {"input": trained.matrix})
    save(tmp_path / "own", bert())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", *arguments], env={"COLUMNS": "160"})


def said(*arguments: str) -> str:
    """The one line of an error."""
    result = run(*arguments)
    assert isinstance(result.exception, FirthError), (result.exception, result.output)
    return str(result.exception)


def write_texts(path: Path, shuffled: bool = False) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sentence", "verdict"])
        drawn = draw("text", 400, 1, shuffled)
        writer.writerows((f"{one['text']} ({number})", one["label"]) for number, one in enumerate(drawn))
    return path


def test_two_models_on_a_csv_file(folder: Path) -> None:
    write_texts(folder / "own.csv")
    fields = ["--text-field", "sentence", "--label-field", "verdict"]
    result = run("own", "words", "--task", "text", "--train", "own.csv", *fields, "--seeds", "1,2", "--json", "r.json")
    assert result.exit_code == 0, result.output
    results = json.loads((folder / "r.json").read_text())
    assert [system["system"] for system in results["systems"]] == ["own", "words"]
    assert all(len(system["seeds"]) == 2 for system in results["systems"])
    assert set(results["weights"]) == {"own", "words"}
    assert results["settings"]["seeds"] == [1, 2]
    best = max(results["systems"], key=lambda system: system["score"])
    assert best["score"] > 0.9
    assert "above" in result.output
    assert f"{best['score']:.3f}" in result.output
    assert f"[{best['low']:.3f}, {best['high']:.3f}]" in result.output
    assert "the most frequent label" in result.output
    assert (
        f"{results['examples']['train']} training examples, {results['examples']['dev']} to score on" in result.output
    )


def test_chance_is_printed_as_a_tie(folder: Path) -> None:
    write_texts(folder / "noise.csv", shuffled=True)
    fields = ["--text-field", "sentence", "--label-field", "verdict"]
    result = run("words", "--task", "text", "--train", "noise.csv", *fields)
    assert result.exit_code == 0, result.output
    assert "≈ majority" in result.output


def test_tags_with_a_dev_file_and_a_model_of_hugging_face(folder: Path) -> None:
    write_hf(bert(seed=3), folder / "published")
    for name, count, seed in (("train", 60, 1), ("dev", 30, 2)):
        lines = [
            "\n".join(f"{word} x {tag}" for word, tag in zip(one["tokens"], one["tags"], strict=True))
            for one in draw("tagging", count, seed)
        ]
        (folder / f"{name}.conll").write_text("\n\n".join(lines) + "\n")
    files = ["--train", "train.conll", "--dev", "dev.conll"]
    result = run("published", "own", "--task", "tagging", *files, "--layers", "last", "--json", "r.json")
    assert result.exit_code == 0, result.output
    results = json.loads((folder / "r.json").read_text())
    assert results["metric"] == "entity_f1"
    assert results["examples"]["dev"] == 30
    assert [system["score"] > 0.9 for system in results["systems"]] == [True, True]


def test_squad_in_windows(folder: Path) -> None:
    asked = draw("span", 120, 1)
    for one in asked:
        one["context"] = "the film was rather " * 20 + one["context"]
        one["answers"][0]["answer_start"] = one["answers"][0].pop("start") + len("the film was rather ") * 20
    articles = [
        {
            "title": one["id"],
            "paragraphs": [{"context": one["context"], "qas": [{k: one[k] for k in ("id", "question", "answers")}]}],
        }
        for one in asked
    ]
    (folder / "own.json").write_text(json.dumps({"version": "1.1", "data": articles}))
    windows = ["--length", "64", "--doc-stride", "16", "--query-length", "12"]
    result = run("own", "words", "--task", "span", "--train", "own.json", *windows, "--seeds", "1", "--json", "r.json")
    assert result.exit_code == 0, result.output
    results = json.loads((folder / "r.json").read_text())
    assert [system["details"]["answers_read"] for system in results["systems"]] == [1.0, 1.0]
    assert said("own", "--task", "span", "--train", "own.json", "--length", "64").startswith(
        "doc_stride 128 with length 64 and query_length 64: windows have -3 pieces"
    )


@pytest.mark.slow
def test_all_ways_to_use_encoders_stand_side_by_side(folder: Path) -> None:
    write_texts(folder / "own.csv")
    asked = ["own", "words", "--task", "text", "--train", "own.csv", "--text-field", "sentence", "--label-field",
             "verdict", "--train-examples", "48", "--seeds", "1"]  # fmt: skip
    result = run(*asked, "--mode", "frozen,finetuned", "--head", "linear,bilstm", "--json", "all.json")
    assert result.exit_code == 0, result.output
    assert [row["system"] for row in json.loads((folder / "all.json").read_text())["systems"]] == [
        "own", "own-bilstm", "own-finetuned",
        "words", "words-bilstm", "words-finetuned", "words-finetuned-bilstm",
    ]  # fmt: skip
    assert "words-finetuned-bilstm" in result.stdout
    refused = said(*asked, "--mode", "finetuned", "--head", "bilstm")
    assert refused.startswith("own: a BERT is fine-tuned under a linear head")
    assert said(*asked, "--head", "linear,tree") == "--head 'tree': input should be 'linear' or 'bilstm'"


@pytest.mark.slow
def test_fine_tuning_goes_on_where_it_was_and_names_its_protocol(folder: Path) -> None:
    write_texts(folder / "own.csv")
    asked = ["own", "--task", "text", "--train", "own.csv", "--text-field", "sentence", "--label-field", "verdict",
             "--mode", "finetuned", "--train-examples", "48"]  # fmt: skip
    first = run(*asked, "--seeds", "1", "--json", "1.json")
    assert first.exit_code == 0, first.output
    assert "Protocol sane: one setting, the median of the seeds." in first.output
    assert "one seed" in first.output
    assert len(list((folder / "cache" / "firth" / "cells").iterdir())) == 1
    both = run(*asked, "--seeds", "2", "--ensemble", "--json", "2.json")
    assert "own-finetuned, seed 2 …" in both.stderr
    assert "own-finetuned, seed 1: kept from before" in both.stderr
    assert "own-finetuned, seed 1 …" not in both.stderr
    assert "ensemble of 2" in both.stdout
    results = [json.loads((folder / name).read_text()) for name in ("1.json", "2.json")]
    assert results[0]["systems"][0]["seeds"][0] == results[1]["systems"][0]["seeds"][0]
    assert [row["system"] for row in results[1]["systems"]] == ["own-finetuned", "own-finetuned-ensemble"]
    assert results[1]["settings"]["seeds"] == [1, 2]


def test_a_model_may_be_an_option_and_fine_tuning_has_settings(folder: Path) -> None:
    write_texts(folder / "own.csv")
    fields = ("--text-field", "sentence", "--label-field", "verdict", "--seeds", "1,2", "--json", "r.json")
    asked = ("--task", "text", "--train", "own.csv", *fields)
    assert run("--model", "words", "--model", "own", "--frozen", *asked).exit_code == 0
    results = json.loads((folder / "r.json").read_text())
    assert [(row["encoder"], row["mode"]) for row in results["systems"]] == [("words", "frozen"), ("own", "frozen")]
    tuned = ("--mode", "finetuned", "--learning-rate", "3e-4", "--epochs", "1", "--batch", "8")
    assert run("own", *asked, *tuned).exit_code == 0
    settings = json.loads((folder / "r.json").read_text())["settings"]["finetuning"]
    assert (settings["learning_rate"], settings["epochs"], settings["batch"]) == (3e-4, 1, 8)


def test_seeds_are_how_many_or_which() -> None:
    assert seeds_of(None) is None
    assert seeds_of("3") == [1, 2, 3]
    assert seeds_of("1") == [1]
    assert seeds_of("7,") == [7]
    assert seeds_of("5,2") == [5, 2]
    with pytest.raises(FirthError, match=r"--seeds 21: .* 1 to 20; for that very seed write 21,"):
        seeds_of("21")


def test_a_task_of_the_project_by_its_name(folder: Path) -> None:
    write_texts(folder / "own.csv")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    built = folder / "data" / "examples" / "snippets"
    examples_of(built, "text", draw("text", 60, 1), draw("text", 30, 2), task="snippets", title="Snippets")
    result = run("words", "--task", "snippets")
    assert result.exit_code == 0, result.output
    assert "Snippets: 60 training examples, 30 to score on" in result.output
    assert said("words", "--task", "snipets").startswith(
        "--task snipets: no task of this project (snippets, boolq, disflqa, ner); for a file of your own say --task"
    )
    assert said("words", "--task", "snippets", "--text-field", "x") == (
        "--text-field goes with --train; what the task snippets is stands in params.yaml"
    )
    assert said("skipgram", "--task", "text", "--train", "own.csv", "--text-field", "sentence", "--label-field",
                "verdict") == "skipgram is not trained yet: `firth run` does it"  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["own", "--task", "text"], "--task text: say with --train FILE where the examples are"),
        (["own", "--task", "words", "--train", "own.csv"], "--task words: with --train it is one of text, pair, span"),
        (["own", "--task", "text", "--train", "none.csv"], "none.csv: no such file"),
        (["own", "--task", "text", "--train", "own.txt"], "the ending does not say what it is; add --format csv"),
        (["own", "--task", "text", "--train", "own.csv", "--metric", "rouge"], "--metric 'rouge': input should be"),
        (
            ["own", "--task", "text", "--train", "own.csv", "--answer-field", "x"],
            "--answer-field does not go with this",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--seeds", "one"],
            "--seeds one: say how many, such as 5, or which",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--seeds", "0"],
            "--seeds 0: a number alone is how many, 1 to",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--protocol", "paper"],
            "--protocol paper is a way to fine-tune: add --mode finetuned",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--ensemble"],
            "--ensemble is of fine-tuned models: add --mode finetuned",
        ),
        (["own", "--task", "text", "--train", "own.csv", "--seeds", "1,1"], "seeds names something twice"),
        (["--task", "text", "--train", "own.csv"], "name a MODEL: a folder, skipgram, cbow or bert"),
        (
            ["own", "--task", "text", "--train", "own.csv", "--frozen", "--mode", "finetuned"],
            "--frozen and --mode finetuned: say one of them",
        ),
        (["own", "--task", "text", "--train", "own.csv", "--epochs", "2"], "--epochs is of fine-tuning: add --mode"),
        (
            ["own", "--task", "text", "--train", "own.csv", "--mode", "finetuned", "--learning-rate", "2"],
            "--learning-rate 2.0: input should be less than or equal to 1",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--mode", "finetuned", "--epochs", "9"],
            "finetuning.epochs 9: the protocol sane has 5 at most",
        ),
        (
            [
                "own",
                "--task",
                "text",
                "--train",
                "own.csv",
                "--mode",
                "finetuned",
                "--protocol",
                "paper",
                "--batch",
                "8",
            ],
            "--batch: the protocol paper has a grid of its own",
        ),
        (["own", "--task", "text", "--train", "own.csv", "--length", "3"], "--length 3: input should be greater than"),
        (["own", "--task", "text", "--train", "own.csv"], "no field 'text'; there are: sentence, verdict"),
    ],
)
def test_what_cannot_be_is_said_with_the_option(folder: Path, arguments: list[str], message: str) -> None:
    write_texts(folder / "own.csv")
    write_texts(folder / "own.txt")
    assert message in said(*arguments)


def test_what_is_no_model_is_said(folder: Path) -> None:
    write_texts(folder / "own.csv")
    (folder / "empty").mkdir()
    asked = ["--task", "text", "--train", "own.csv", "--text-field", "sentence", "--label-field", "verdict"]
    assert said("gpt", *asked) == "gpt: no such folder, and this is not a Firth project, whose models have names"
    assert said("empty", *asked) == "empty: holds neither vectors.safetensors (word vectors) nor config.json (a BERT)"
    assert said("own", "own", *asked) == "own: named twice"


def test_an_official_set_out_of_its_folder(folder: Path) -> None:
    glue = folder / "GLUE" / "CoLA"
    glue.mkdir(parents=True)
    drawn = draw("text", 60, 1)
    names = {one["label"] for one in drawn}
    for side, part in (("train", drawn[:40]), ("dev", drawn[40:])):
        rows = [f"s\t{sorted(names).index(one['label'])}\t\t{one['text']}\n" for one in part]
        (glue / f"{side}.tsv").write_text("".join(rows))
    asked = ("words", "--task", "glue/cola", "--data", "GLUE", "--seeds", "1,2")
    result = run(*asked, "--train-examples", "30", "--json", "r.json")
    assert result.exit_code == 0, result.output
    results = json.loads((folder / "r.json").read_text())
    assert (results["title"], results["metric"], results["published"]) == ("GLUE: CoLA", "matthews", "cola")
    assert results["examples"] == {"train": 30, "dev": 20}
    assert "leave --train and --dev out" in said(*asked, "--train", "a.csv")
    assert "say with --data where the files" in said("words", "--task", "glue/cola")
    assert "no official set; there are glue/cola" in said("words", "--task", "snli", "--data", "GLUE")
    assert "no file train.tsv there" in said("words", "--task", "glue/rte", "--data", "GLUE")


def test_sets_of_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub

    class Found:
        sha = "c0ffee"

    drawn = draw("text", 60, 1)
    names = sorted({one["label"] for one in drawn})
    parts = {"train": drawn[:40], "validation": drawn[40:]}

    def load_dataset(*_: object, split: str, **__: object) -> object:
        label = datasets.ClassLabel(names=["unacceptable", "acceptable"])
        rows = [{"sentence": one["text"], "label": names.index(one["label"])} for one in parts[split]]
        return datasets.Dataset.from_list(rows).cast_column("label", label).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: Found())
    asked = ("words", "--hub", "nyu-mll/glue", "--seeds", "1,2", "--json", "r.json")
    result = run(*asked, "--task", "glue/cola")
    assert result.exit_code == 0, result.output
    results = json.loads((folder / "r.json").read_text())
    assert (results["title"], results["examples"]) == ("GLUE: CoLA", {"train": 40, "dev": 20})
    own = ("--task", "text", "--text-field", "sentence", "--train", "train")
    assert run(*asked, *own).exit_code == 0
    assert json.loads((folder / "r.json").read_text())["title"] == "nyu-mll/glue"
    assert "says itself which parts" in said(*asked, "--task", "glue/cola", "--dev", "validation")
    assert "say with --train which split" in said(*asked, "--task", "text")
    assert "leave one of them out" in said(*asked, "--task", "glue/cola", "--data", "GLUE")
    assert "--subset is of a data set on the hub" in said("words", "--task", "text", "--subset", "cola")


def row(name: str, runs: list[dict[str, object]], score: float = 0.8, tie: bool = False) -> dict[str, object]:
    made = [{"seed": seed, "score": score, "collapsed": False} | run for seed, run in enumerate(runs, 1)]
    return {
        "system": name, "score": score, "low": score - 0.05, "high": score + 0.05, "tie_with_majority": tie,
        "seeds": [score], "score_is": "median", "runs": made,
    }  # fmt: skip


@pytest.mark.parametrize("metric", ["accuracy", "pearson_spearman"])
def test_the_table_fits_a_terminal_of_100_columns(metric: str) -> None:
    ended: dict[str, object] = {}
    diverged: dict[str, object] = {"score": None, "diverged_at": 7}
    collapsed: dict[str, object] = {"collapsed": True}
    systems = [
        row("bert-finetuned", [ended, ended]),
        row("skipgram-finetuned-bilstm", [ended, ended, diverged], 0.5, tie=True),
        row("reference-bilstm", [collapsed, ended, diverged, ended, ended]),
    ]
    what = "each word's most frequent tag in training, O for a new word"
    stream = io.StringIO()
    results = {"metric": metric, "majority": {"score": 0.5, "what": what}, "systems": systems}
    Console(file=stream, width=100).print(_table(results))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= 100
    cells = [re.split(r"  +", line.strip()) for line in lines]
    assert [line for line in cells if len(line) == 5] == [
        ["bert-finetuned", "0.800", "[0.750, 0.850]", "median of 2 seeds", "above"],
        ["skipgram-finetuned-bilstm", "0.500", "[0.450, 0.550]", "median of 2 seeds that ended", "≈ majority"],
        ["reference-bilstm", "0.800", "[0.750, 0.850]", "median of 4 seeds that ended", "above"],
    ]
    assert [line for line in cells if len(line) == 1 and "of" in line[0]] == [
        ["1 of 3 diverged"], ["1 of 5 collapsed"], ["1 of 5 diverged"],
    ]  # fmt: skip
