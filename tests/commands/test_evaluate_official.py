"""`firth evaluate` on official sets: out of a folder, out of files that are named, and from the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluate_calls import run, said
from usage_examples import draw


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
