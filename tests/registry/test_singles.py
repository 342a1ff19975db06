"""Whether a gain is more than the noise of examples and seeds, and the answers that this is seen from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scored_project import TASK, ScoredProject

from firth.canonical import file_sha256
from firth.errors import DataError, IntegrityError
from firth.registry.noise import noise_of_gain
from firth.registry.promote import Promotion, promote_all
from firth.registry.singles import Singles, kept
from firth.registry.versions import by_alias
from firth.tasks.examples.files import load, write
from firth.tracking.store import open_store

SURE = (
    "gate.bert.suites={mlm: {minimum: 0.4, max_loss: 0.02}, mood: {minimum: 0.0, max_loss: 1.0}}",
    "gate.bert.decisive=mood",
    "gate.bert.confidence=0.95",
)


def promote(project: ScoredProject) -> Promotion:
    (promotion,) = promote_all(project.root, ["bert"])
    return promotion


def test_seeds_that_were_replaced_or_diverged_are_no_part_of_the_noise() -> None:
    runs = [
        {"seed": 1, "score": 0.8, "collapsed": False, "batch": 16},
        {"seed": 2, "score": 0.5, "collapsed": True, "batch": 16, "replaced_by": 3},
        {"seed": 3, "score": 0.7, "collapsed": False, "batch": 16},
        {"seed": 4, "score": None, "collapsed": False, "diverged_at": 9, "batch": 16},
        {"seed": 1, "score": 0.6, "collapsed": False, "batch": 32},
    ]
    row = {"system": "bert-finetuned", "seeds": [0.8, 0.5, 0.7], "runs": runs, "details": {"batch": 16, "seed": 1}}
    results = {"task": TASK, "digests": {"dev": "0"}, "systems": [row, row | {"system": "bert-finetuned-ensemble"}]}
    assert Singles.of(results, "bert-finetuned", []).seeds == (0.8, 0.7)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A project folder with 200 dev examples of a task."""
    folder = tmp_path / "data" / "examples" / TASK
    sides = {
        side: [{"id": f"{side}-{n}", "text": f"word {n}", "label": ("bad", "good")[n % 2]} for n in range(count)]
        for side, count in (("train", 4), ("dev", 200))
    }
    manifest = {
        "task": TASK, "kind": "text", "title": "Moods", "licence": "CC0", "attribution": "tests", "metric": "accuracy",
        "published": "", "length": 16, "labels": ["bad", "good"],
    }  # fmt: skip
    write(folder, sides, manifest)
    return tmp_path


def answers(root: Path, right: Sequence[int] | range, seeds: Sequence[float] = (0.5,)) -> Singles:
    """Of the examples numbered in `right` the label, of the others the other one."""
    folder = root / "data" / "examples" / TASK
    other, chosen = {"bad": "good", "good": "bad"}, set(right)
    predicted = {
        example["id"]: example["label"] if number in chosen else other[example["label"]]
        for number, example in enumerate(load(folder).dev)
    }
    return Singles(TASK, file_sha256(folder / "dev.jsonl"), tuple(seeds), predicted)


def test_the_same_answers_gain_in_no_resample_and_far_better_ones_in_all(examples: Path) -> None:
    half = answers(examples, range(100))
    assert noise_of_gain(examples, half, half, 0.0).gained == 0.0
    assert noise_of_gain(examples, answers(examples, range(200)), half, 0.0).gained == 1.0
    assert noise_of_gain(examples, half, answers(examples, range(200)), 0.0).gained == 0.0


def test_it_is_paired(examples: Path) -> None:
    """Eight examples more, none lost, are a gain in nearly all resamples; as many more among others lost are not."""
    champion = answers(examples, range(100))
    more = noise_of_gain(examples, answers(examples, range(108)), champion, 0.0).gained
    moved = noise_of_gain(examples, answers(examples, range(92, 200)), champion, 0.0).gained
    assert more == pytest.approx(1.0 - (1 - 8 / 200) ** 200, abs=0.005)
    assert 0.6 < moved < 0.85


def test_it_is_what_resampling_by_hand_finds(examples: Path) -> None:
    ours, theirs = answers(examples, range(60, 175)), answers(examples, range(110))
    right = [np.isin(np.arange(200), list(chosen)) for chosen in (range(60, 175), range(110))]
    rng = np.random.default_rng(5)
    picks = rng.integers(0, 200, (20_000, 200))
    by_hand = (right[0][picks].mean(axis=1) - right[1][picks].mean(axis=1) >= 0.05).mean()
    assert noise_of_gain(examples, ours, theirs, 0.05).gained == pytest.approx(by_hand, abs=0.02)


def test_seeds_that_differ_make_it_less_sure(examples: Path) -> None:
    champion, ours = answers(examples, range(100)), range(108)
    calm = noise_of_gain(examples, answers(examples, ours, (0.54, 0.54, 0.54)), champion, 0.0).gained
    wild = noise_of_gain(examples, answers(examples, ours, (0.34, 0.54, 0.74)), champion, 0.0)
    assert calm > 0.99
    assert wild.over == "200 dev examples and of seeds"
    assert wild.gained == pytest.approx(2 / 3, abs=0.02), "one seed of three is far below"


def test_answers_to_other_examples_are_not_compared(examples: Path) -> None:
    one = answers(examples, range(100))
    with pytest.raises(DataError, match="not the examples that both models have answered"):
        noise_of_gain(examples, one, Singles(one.task, "0" * 64, one.seeds, one.predicted), 0.0)


@pytest.mark.slow
def test_a_gain_that_may_be_noise_is_refused_and_one_beyond_it_promoted(project: ScoredProject) -> None:
    project.change(*SURE)
    project.examples()
    project.pretrain(1)
    project.measure(bert=0.5)
    assert promote(project).champion == "1"
    store = open_store(project.root)
    champion = by_alias(store, "bert", "champion")
    assert champion is not None
    found = kept(store, champion, TASK)
    assert found is not None
    assert (len(found.predicted), found.seeds) == (10, [0.5])

    project.pretrain(2)
    project.measure(bert=0.6)
    refused = promote(project)
    assert refused.champion == "1"
    (reason,) = refused.decision.reasons
    assert reason.startswith("mood changed by +0.1000 (0.5000 to 0.6000), a gain only in ")
    assert reason.endswith("% of 10,000 resamples of 10 dev examples: may be chance, 95% are demanded")

    project.pretrain(3)
    project.measure(bert=1.0)
    promoted = promote(project)
    assert (promoted.decision.verdict, promoted.champion) == ("promoted", "3")
    assert "(+0.5000), a gain in 99." in promoted.decision.reasons[0]


@pytest.mark.slow
def test_a_champion_whose_answers_were_not_kept_answers_again(project: ScoredProject) -> None:
    project.change(*SURE[:2])
    project.examples()
    project.pretrain(1)
    project.measure(bert=0.5)
    promote(project)
    project.change(SURE[2])
    project.pretrain(2)
    project.measure(bert=1.0)
    promote(project)
    store = open_store(project.root)
    found = kept(store, store.client.get_model_version("bert", "1"), TASK)
    assert found is not None
    assert len(found.predicted) == 10


@pytest.mark.slow
def test_missing_and_damaged_answers_are_told(project: ScoredProject) -> None:
    project.change(*SURE)
    project.examples()
    project.pretrain(1)
    project.measure(bert=0.5)
    (project.root / "data" / "tasks" / TASK / "predictions-bert.jsonl").unlink()
    with pytest.raises(DataError, match=r"predictions-bert.jsonl: missing; run the stage tasks@mood first"):
        promote(project)
    project.measure(bert=0.5)
    promote(project)
    for path in (project.root / ".firth" / "mlflow" / "artifacts").rglob(f"evidence/*/{TASK}.json"):
        path.write_text(json.dumps({"task": TASK}), encoding="utf-8")
    project.pretrain(2)
    project.measure(bert=1.0)
    with pytest.raises(IntegrityError, match=r"bert version 1: evidence/bert-v1/mood\.json is no record of answers"):
        promote(project)
