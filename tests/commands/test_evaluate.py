"""`firth evaluate`: encoders side by side on files of one's own, with no project around."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from usage_examples import bert, draw, examples_of

from firth.cli import app
from firth.commands.evaluate_shown import FROZEN
from firth.config.load import preset_text
from firth.encode.interchange import write_hf
from firth.errors import FirthError


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
    assert f"{min(best['seeds']):.3f} … {max(best['seeds']):.3f}" in result.output
    assert "official" not in results
    assert result.output.splitlines()[-1] == FROZEN
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
    result = run("own", *asked, *tuned)
    assert result.exit_code == 0, result.output
    assert FROZEN not in result.output
    settings = json.loads((folder / "r.json").read_text())["settings"]["finetuning"]
    assert (settings["learning_rate"], settings["epochs"], settings["batch"]) == (3e-4, 1, 8)


def test_a_bert_is_read_where_and_how_it_is_said(folder: Path) -> None:
    write_texts(folder / "own.csv")
    fields = ("--text-field", "sentence", "--label-field", "verdict", "--seeds", "1", "--json", "r.json")
    asked = ("own", "words", "--task", "text", "--train", "own.csv", *fields)
    result = run(*asked, "--accelerator", "cpu", "--precision", "bf16")
    assert result.exit_code == 0, result.output
    results = json.loads((folder / "r.json").read_text())
    assert (results["settings"]["accelerator"], results["settings"]["precision"]) == ("cpu", "bf16")
    assert results["systems"][0]["mode"] == "frozen"


def test_a_protocol_alone_fine_tunes(folder: Path) -> None:
    write_texts(folder / "own.csv")
    asked = ["own", "--task", "text", "--train", "own.csv", "--text-field", "sentence", "--label-field", "verdict",
             "--train-examples", "32", "--seeds", "1", "--json", "r.json"]  # fmt: skip
    result = run(*asked, "--protocol", "sane")
    assert result.exit_code == 0, result.output
    (system,) = json.loads((folder / "r.json").read_text())["systems"]
    assert (system["system"], system["mode"]) == ("own-finetuned", "finetuned")
    assert FROZEN not in result.output
    assert FROZEN not in run(*asked, "--frozen").output, "that is what was asked for"


def test_answers_are_written_by_system(folder: Path) -> None:
    write_texts(folder / "own.csv")
    (folder / "a").mkdir()
    (folder / "words").rename(folder / "a" / "own")
    asked = ["own", "a/own", "--task", "text", "--train", "own.csv", "--text-field", "sentence", "--label-field",
             "verdict", "--seeds", "1", "--json", "r.json"]  # fmt: skip
    assert run(*asked, "--predictions", "answers").exit_code == 0
    results = json.loads((folder / "r.json").read_text())
    files = {"own": "predictions-own.jsonl", "a/own": "predictions-a%2Fown.jsonl"}
    assert {path.name for path in (folder / "answers").iterdir()} == set(files.values())
    for system in results["systems"]:
        lines = (folder / "answers" / files[system["system"]]).read_text().splitlines()
        answers = [json.loads(line) for line in lines]
        assert len(answers) == results["examples"]["dev"]
        right = sum(one["predicted"] == one["expected"] for one in answers) / len(answers)
        assert right == pytest.approx(system["score"], abs=1e-6)
    assert said(*asked, "--predictions", "own.csv").startswith("own.csv: is a file; --predictions is a folder")


def test_a_task_of_the_project_by_its_name(folder: Path) -> None:
    write_texts(folder / "own.csv")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    built = folder / "data" / "examples" / "snippets"
    examples_of(built, "text", draw("text", 60, 1), draw("text", 30, 2), task="snippets", title="Snippets")
    result = run("words", "--task", "snippets")
    assert result.exit_code == 0, result.output
    assert "Snippets: 60 training examples, 30 to score on" in result.output
    assert "--task squad: say where the official set is" in said("words", "--task", "squad")
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
        (
            ["own", "--task", "squad"],
            "--task squad: say where the official set is: --data FOLDER, --train FILE --dev",
        ),
        (["own", "--task", "conll2003", "--dev", "own.csv"], "say with --train FILE or --data FOLDER where its trai"),
        (["own", "--task", "glue/mnli"], "MNLI has two dev sides; say glue/mnli-m (matched) or glue/mnli-mm (mis"),
        (["own", "--task", "glue/mmlu", "--train", "own.csv"], "glue/mmlu: no official set; there are glue/cola"),
        (["own", "--task", "mrpc"], "not in a Firth project"),
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
            ["own", "--task", "text", "--train", "own.csv", "--frozen", "--protocol", "paper"],
            "--protocol is of fine-tuning: leave it out, or --frozen",
        ),
        (
            ["words", "--task", "text", "--train", "own.csv", "--precision", "bf16"],
            "--precision is for a BERT, and no MODEL is one: leave it out",
        ),
        (["own", "--task", "text", "--train", "own.csv", "--seeds", "1,1"], "seeds names something twice"),
        (["--task", "text", "--train", "own.csv"], "name a MODEL: a folder, skipgram, cbow or bert"),
        (
            ["own", "--task", "text", "--train", "own.csv", "--frozen", "--mode", "finetuned"],
            "--frozen and --mode finetuned: say one of them",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--mode", "frozen", "--epochs", "2"],
            "--epochs is of fine-tuning: leave it out, or --frozen (--mode frozen)",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--learning-rate", "2"],
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


def test_what_was_left_out_and_cut_is_said_and_stands_in_the_results(folder: Path) -> None:
    rows = [{"text": f"{one['text']} ({n})", "label": one["label"]} for n, one in enumerate(draw("text", 60, 1))]
    rows[0]["text"] = "the film was warm " * 2500
    lines = [*rows, {"text": "Nobody knows."}, {"text": "Or does it?"}]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    dev = [{"text": f"dev {one['text']}", "label": one["label"]} for one in draw("text", 20, 2)]
    (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in dev))
    result = run("own", "--task", "text", "--train", "own.jsonl", "--dev", "dev.jsonl", "--json", "r.json")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("left out 2 — no label (such as Nobody knows.)\n") == 1
    assert "own: 1 of 60 training examples are longer than 64 tokens and were cut; this model has no" in result.stderr
    results = json.loads((folder / "r.json").read_text())
    assert [(row["reason"], row["examples"]) for row in results["left_out"]] == [("no label", 2)]
    assert results["systems"][0]["details"]["train_cut"] == 1


def test_layers_and_pooling_are_refused_where_no_model_has_any(folder: Path) -> None:
    write_texts(folder / "own.csv")
    fields = ["--task", "text", "--train", "own.csv", "--text-field", "sentence", "--label-field", "verdict"]
    assert said("words", *fields, "--layers", "sum4") == ("--layers is for a BERT, and no MODEL is one: leave it out")
    assert said("words", *fields, "--layers", "last", "--pooling", "cls").startswith("--pooling is for a BERT")
    assert run("words", "own", *fields, "--pooling", "cls").exit_code == 0


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
    assert results["official"] == {"name": "glue/cola", "train": 8551, "dev": 1043}
    assert "glue/cola: train 30 of 8,551 (subset), dev 20 of 1,043 (subset).\n" in result.output
    dev = glue / "dev.tsv"
    assert "neither --train nor --dev names: leave it out" in said(*asked, "--train", str(dev), "--dev", str(dev))
    dev.rename(glue / "own.tsv")
    assert "no file dev.tsv there" in said(*asked)
    result = run(*asked, "--dev", "GLUE/CoLA/own.tsv", "--json", "r.json")
    assert result.exit_code == 0, result.output
    assert "glue/cola: train 40 of 8,551 (subset), dev 20 (not the official dev side).\n" in result.output
    assert json.loads((folder / "r.json").read_text())["official"]["dev"] is None
    assert "say where the official set is" in said("words", "--task", "glue/cola")
    assert "no official set; there are glue/cola" in said("words", "--task", "snli", "--data", "GLUE")
    assert "no file train.tsv there" in said("words", "--task", "glue/rte", "--data", "GLUE")


def test_an_official_set_out_of_files_that_are_named(folder: Path) -> None:
    for name, count, seed in (("eng.train", 60, 1), ("eng.testb", 30, 2)):
        sentences = (zip(one["tokens"], one["tags"], strict=True) for one in draw("tagging", count, seed))
        lines = ["\n".join(f"{word} NNP B-NP {tag}" for word, tag in sentence) for sentence in sentences]
        (folder / name).write_text("-DOCSTART- -X- -X- O\n\n" + "\n\n".join(lines) + "\n")
    asked = ("words", "--task", "conll2003", "--train", "eng.train", "--seeds", "1", "--json", "r.json")
    result = run(*asked, "--dev", "eng.testb")
    assert result.exit_code == 0, result.output
    results = json.loads((folder / "r.json").read_text())
    assert (results["published"], results["metric"]) == ("conll-2003", "entity_f1")
    assert results["examples"] == {"train": 60, "dev": 30}
    assert "conll2003: train 60 of 14,041 (subset), dev 30 (not the official dev side).\n" in result.output
    alone = run(*asked)
    assert alone.exit_code == 0, alone.output
    examples = json.loads((folder / "r.json").read_text())["examples"]
    assert 0 < examples["dev"] < examples["train"] < 60


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
    assert results["official"] == {"name": "glue/cola", "train": 8551, "dev": 1043}
    own = ("--task", "text", "--text-field", "sentence", "--train", "train")
    assert run(*asked, *own).exit_code == 0
    assert json.loads((folder / "r.json").read_text())["title"] == "nyu-mll/glue"
    assert "says itself which parts" in said(*asked, "--task", "glue/cola", "--dev", "validation")
    assert "say with --train which split" in said(*asked, "--task", "text")
    assert "leave one of them out" in said(*asked, "--task", "glue/cola", "--data", "GLUE")
    assert "--subset is of a data set on the hub" in said("words", "--task", "text", "--subset", "cola")
