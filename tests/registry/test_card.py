"""The model card says what this very model has read, how steady its scores are, and what nobody asked it."""

from __future__ import annotations

from typing import Any

import pytest
from scored_project import TASK, ScoredProject

from firth.canonical import read_json, write_json
from firth.config.bert import Bert
from firth.registry.card import card
from firth.registry.footprint import Footprint
from firth.registry.promote import promote_all
from firth.tracking.lineage import lineage
from firth.tracking.store import open_store
from firth.tracking.trained import weights_sha256

NEWS = {"attribution": "News", "licence": "CC0", "language": "de", "documents": 1200, "words": 34567}
SCORE = {"score": 0.7, "low": 0.6, "high": 0.8, "covered": 10, "total": 10}


def card_of(model: str = "bert", corpora: dict[str, Any] | None = None, **suites: Any) -> str:
    told = {"init_sha256": None, "cost": Footprint(1.0), "verdict": "refused", "reasons": ()}
    return card(model, params=Bert().model_dump(), corpora=corpora or {}, suites=suites, **told)  # type: ignore[arg-type]


def described(version: str) -> str:
    return str(open_store().client.get_model_version("bert", version).description)


def test_the_spread_of_several_seeds_stands_beside_the_interval() -> None:
    several = SCORE | {"score_of": "median of 5 seeds", "seeds": [0.65, 0.75]}
    said = card_of(mood=several, other=SCORE | {"score_of": "one seed", "metric": "f1", "mode": "frozen"})
    assert "- mood: 0.7000 [0.6000, 0.8000], median of 5 seeds (from 0.6500 to 0.7500), 10 examples\n" in said
    assert "- other: f1 0.7000 [0.6000, 0.8000], frozen, one seed, 10 examples\n" in said
    assert "the model itself was trained once, with one seed" in said
    assert "12 held-out predictions; without an interval\n" in card_of(mlm=SCORE | {"total": 12})


def test_what_it_has_read_and_was_not_asked() -> None:
    said = card_of(corpora={"news": NEWS}, mood=SCORE, empty=SCORE | {"score": None})
    assert "- news: News (1,200 documents, 34,567 words). Licence: CC0\n" in said
    assert "- It knows the 34,567 words of 1,200 documents, and nothing else of the world.\n" in said
    assert "- Its text was prepared as language de; " in said
    assert "- It was trained on sequences of at most 128 tokens.\n" in said
    assert "- It was evaluated on mood alone: not on other tasks, languages or kinds of text, nor for bias.\n" in said
    both = card_of(corpora={"news": NEWS, "before": {"attribution": "unknown", "licence": "unknown"}})
    assert "34,567 words of 1,200 documents, beside what nobody counted, and" in both
    assert "- before: unknown. Licence: unknown\n" in both
    assert "It was evaluated on nothing" in both
    assert "of at most" not in card_of("skipgram")


def test_counts_and_seeds_come_from_the_project(project: ScoredProject) -> None:
    kept = {"documents": 4, "words": 90, "train": 3, "heldout": 1}
    write_json(project.root / "data" / "corpus" / "drops.json", {"kept": {"news": kept}, "table": []})
    project.pretrain(1)
    project.examples()
    project.measure(bert=0.7)
    path = project.root / "data" / "tasks" / TASK / "results.json"
    results = read_json(path)
    results["systems"][0]["seeds"] = [0.7, 0.66, 0.8]
    write_json(path, results)
    promote_all(project.root, ["bert"])
    said = described("1")
    assert "(4 documents, 90 words)" in said
    assert "It knows the 90 words of 4 documents, beside what nobody counted" in said  # of the other corpora
    assert "prepared as language en" in said
    assert f"- {TASK}: accuracy 0.7" in said
    assert "median of 3 seeds (from 0.6600 to 0.8000)" in said
    assert lineage("bert/1").corpora["news"]["words"] == 90


@pytest.mark.slow
def test_a_model_that_went_on_from_another_names_what_that_one_had_read(project: ScoredProject) -> None:
    project.pretrain(1, init="c" * 64)
    promote_all(project.root, ["bert"])
    unknown = (
        "- before: what the model that it went on from had read is not known here. Licence: unknown, of its text and"
    )
    assert unknown in described("1")
    project.pretrain(2, gain=0.6, init=str(weights_sha256(project.root, "bert")))
    promote_all(project.root, ["bert"])
    assert "- news (before, as bert version 1): News Articles" in described("2")
    assert "- news: News Articles" in described("2")
    assert unknown in described("2"), "the first one went on from an unknown model itself"
