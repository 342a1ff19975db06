"""`firth evaluate`: encoders side by side on files of one's own, with no project around."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from evaluate_calls import run, said, small_bilstms, write_texts
from usage_examples import bert, draw, examples_of

from firth.bert.folder import NEW, Bert
from firth.commands.evaluate_shown import FROZEN
from firth.config.load import preset_text
from firth.encode.interchange import write_hf
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Floats, Reading


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
    published = bert(seed=3)
    write_hf(Bert(published.model, published.tokenizer, dict.fromkeys(published.heads, NEW)), folder / "published")
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
    assert "trained" not in result.stderr, "no task reads pretraining heads"


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
def test_all_ways_to_use_encoders_stand_side_by_side(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_bilstms(monkeypatch)
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


def test_as_many_threads_as_are_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_texts(folder / "own.csv")
    counted, features = list[int](), BertEncoder.features

    def counting(encoder: BertEncoder, reading: Reading) -> Floats:
        counted.append(torch.get_num_threads())
        return features(encoder, reading)

    monkeypatch.setattr(BertEncoder, "features", counting)
    fields = ("--text-field", "sentence", "--label-field", "verdict", "--seeds", "1", "--frozen")
    for asked in (["--threads", "1"], ["--threads", "3"], []):
        assert run("own", "--task", "text", "--train", "own.csv", *fields, *asked).exit_code == 0
    assert list(dict.fromkeys(counted)) == [1, 3, 2]


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
