"""The demo's data sets, fetched from their packages: what is in them, on which side, and what was left out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from firth.config import load_preset
from firth.config.corpora import PackageSource
from firth.corpus.sources import open_source
from firth.tasks.examples.build import build
from firth.tasks.examples.files import Examples, dev_texts, load
from firth.textkeys import normalised, reserved_for_evaluation

pytestmark = pytest.mark.registry
ROOT = Path(__file__).parents[3]


@pytest.fixture
def demo(folder, monkeypatch):
    """Builds the examples of one of the demo's tasks, all of them if asked."""
    monkeypatch.setenv("FIRTH_STATE", str(ROOT / ".firth"))  # wheels are fetched once a clone

    def run(name: str, everything: bool = True) -> Examples:
        task = load_preset("demo").tasks[name]
        if everything:
            task = task.model_copy(update={"train_examples": 10**6, "dev_examples": 10**6})
        build(name, task, folder / name, folder)
        return load(folder / name)

    return run


def counts(found: Examples) -> dict[str, int]:
    return {row["reason"]: row["examples"] for row in found.manifest["left_out"]}


@pytest.mark.slow
def test_snippets(demo, folder) -> None:
    found = demo("snippets")
    assert (len(found.train), len(found.dev)) == (11_396, 1_412)
    assert counts(found) == {"its label 'plot' is not among those listed": 1097}
    assert 0.5 < sum(e["label"] == "fresh" for e in found.dev) / len(found.dev) < 0.65
    assert not {normalised(e["text"]) for e in found.train} & {normalised(e["text"]) for e in found.dev}
    seeded = demo("snippets", everything=False)
    assert (len(seeded.train), len(seeded.dev)) == (1200, 600)
    assert seeded.train == found.train[:1200]
    assert 590 < len(dev_texts(folder / "snippets")) < 600  # a few critics wrote the same


@pytest.mark.slow
def test_boolq_is_scored_on_the_passages_that_ingest_reserves_and_on_no_others(demo) -> None:
    found = demo("boolq")
    assert (len(found.train), len(found.dev)) == (10_776, 1_921)
    assert counts(found) == {"no label": 3245}  # 15,942 pairs in all
    assert Counter(e["label"] for e in found.train + found.dev) == {"true": 7907, "false": 4790}
    source = load_preset("demo").corpora["boolq"]
    assert isinstance(source, PackageSource)
    assert source.evaluation_share == load_preset("demo").tasks["boolq"].dev_share
    every_passage = {document.text for document in open_source("boolq", source).documents}
    labelled = {e["second"] for e in found.train + found.dev}
    reserved = {text for text in every_passage if reserved_for_evaluation(text, source.evaluation_share)}
    assert {e["second"] for e in found.dev} == reserved & labelled
    assert not {e["second"] for e in found.train} & reserved
    assert labelled < every_passage


def test_disflqa_answers_occur_in_their_passages(demo) -> None:
    found = demo("disflqa")
    assert (len(found.train), len(found.dev)) == (420, 180)
    assert counts(found) == {"the answer does not occur in the context": 400}
    assert found.manifest["left_out"][0]["example"].startswith("unknown ← ")  # as the set marks them
    for example in found.train + found.dev:
        for answer in example["answers"]:
            assert example["context"].index(answer["text"]) == answer["start"]
    assert not {e["context"] for e in found.train} & {e["context"] for e in found.dev}


def test_the_sample_of_named_entities(demo) -> None:
    found = demo("ner", everything=False)
    assert (len(found.train), len(found.dev)) == (155, 71)
    assert found.manifest["labels"] == [
        *(f"{prefix}-{kind}" for prefix in "BI" for kind in ("LOC", "MISC", "ORG", "PER")),
        "O",
    ]
    assert sum(tag.startswith("B-") for e in found.train for tag in e["tags"]) > 200
    assert sum(len(e["tokens"]) for e in found.train + found.dev) > 2500


def test_the_same_bytes_each_time(demo, folder) -> None:
    first = demo("ner").manifest
    assert demo("ner").manifest == first
    assert json.loads((folder / "ner" / "manifest.json").read_text()) == first
