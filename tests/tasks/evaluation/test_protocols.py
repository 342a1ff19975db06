"""Which trainings are made, which are marked as collapsed, and which of them is the score."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from usage_examples import bert, draw, examples_of

from firth.canonical import dumps
from firth.config.usages import Evaluation, Finetuning, Grid
from firth.errors import FirthError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Reading
from firth.tasks.encoders.sources import Source
from firth.tasks.evaluation import learners
from firth.tasks.evaluation.cells import Cells
from firth.tasks.evaluation.collapse import Collapse, unseeing
from firth.tasks.evaluation.in_words import failures, how_scored, protocol_in_words
from firth.tasks.evaluation.learners import Learner
from firth.tasks.evaluation.protocols import Outcome, Trainings
from firth.tasks.evaluation.score import score_task, summary
from firth.tasks.examples.files import Examples
from firth.tasks.learning.divergence import DivergedError
from firth.tasks.learning.stopping import BestEpoch, Learned
from firth.tasks.usages.problems import problem_of

SETTINGS = Evaluation(
    modes=["finetuned"], bootstrap=100, threads=1, seeds=[1, 2],
    finetuning=Finetuning(learning_rate=3e-3, epochs=2, batch=16),
)  # fmt: skip
MODEL = Source("a model", lambda: BertEncoder(bert()))
NOTHING = Reading([], np.zeros(0, np.int64))


@pytest.fixture
def texts(tmp_path: Path) -> Examples:
    return examples_of(tmp_path, "text", draw("text", 60, 1), draw("text", 40, 2))


def answering(examples: Examples, right: float) -> Learned:
    """Outputs of which so many are right, the first ones; with 0.5 they all say the same."""
    labels = sorted({example["label"] for example in examples.train})
    gold = np.array([labels.index(example["label"]) for example in examples.dev])
    said = np.zeros(len(gold), np.int64) if right == 0.5 else gold.copy()
    if right != 0.5:
        wrong = round(len(gold) * (1 - right))
        said[len(gold) - wrong :] = 1 - gold[len(gold) - wrong :]
    return Learned(np.eye(2, dtype=np.float32)[said])


def outcome(
    examples: Examples, settings: Evaluation, scripted: Mapping[Any, float | None], tunable: bool = False
) -> Outcome:
    """Of trainings that score as `scripted` says, by seed, or by batch and seed; None: it diverges at its 7th step."""

    def learn(seed: int, point: Finetuning) -> Learned:
        right = scripted[(point.batch, seed) if tunable else seed]
        if right is None:
            raise DivergedError("a training", 7, "the loss is nan", {settings.rate_from: point.learning_rate})
        return answering(examples, right)

    learner = Learner("finetuned", "-finetuned", "", NOTHING, {}, learn, lambda: {"encoder": "scripted"}, tunable)
    return Trainings(problem_of(examples), examples, settings, None).outcome(learner, "model-finetuned")


def seeds_of(records: Iterable[dict[str, Any]], key: str) -> list[int]:
    return [record["seed"] for record in records if record.get(key)]


def test_the_median_of_the_seeds_with_failed_ones_marked_not_hidden(texts: Examples) -> None:
    settings = SETTINGS.model_copy(update={"seeds": [1, 2, 3, 4, 5]})
    found = outcome(texts, settings, {1: 0.9, 2: 0.5, 3: 1.0, 4: 0.5, 5: 0.95})
    assert seeds_of(found.records, "collapsed") == [2, 4]
    assert (found.of, found.chosen.seed, found.chosen.score) == ("median", 1, 0.9)
    assert len(found.counted) == 5, "what collapsed counts, as long as nothing replaces it"


def test_restarts_replace_what_collapsed_as_far_as_they_go(texts: Examples) -> None:
    scripted = {1: 0.9, 2: 0.5, 3: 0.5, 4: 0.5, 5: 0.95, 6: 1.0}
    for restarts, counted in ((0, [1, 2, 3]), (1, [1, 3, 4]), (2, [1, 4, 5]), (3, [1, 5, 6])):
        settings = SETTINGS.model_copy(update={"seeds": [1, 2, 3], "restarts": restarts})
        found = outcome(texts, settings, scripted)
        assert [run.seed for run in found.runs] == list(range(1, 4 + restarts))
        assert [run.seed for run in found.counted] == counted
        assert found.chosen.score == statistics.median_low(run.score for run in found.counted)
    # Seed 2 by 4, seed 3 by 5, and 4, which collapsed too, by 6: nothing is left to replace.
    settings = SETTINGS.model_copy(update={"seeds": [1, 2, 3], "restarts": 9})
    found = outcome(texts, settings, scripted)
    replaced = {record["seed"]: record["replaced_by"] for record in found.records if "replaced_by" in record}
    assert replaced == {2: 4, 3: 5, 4: 6}
    assert [run.seed for run in found.counted] == [1, 5, 6]
    assert found.chosen.score == 0.95
    assert seeds_of(found.records, "collapsed") == [2, 3, 4]


def test_the_grid_is_tried_whole_and_its_best_run_is_the_score(texts: Examples) -> None:
    grid = Grid(batch=[8, 16], learning_rate=[1e-3], epochs=[1])
    settings = SETTINGS.model_copy(update={"protocol": "paper", "grid": grid})
    scripted = {(8, 1): 0.9, (8, 2): 0.8, (16, 1): 0.7, (16, 2): 0.95}
    found = outcome(texts, settings, scripted, tunable=True)
    assert (found.of, found.chosen.settings.batch, found.chosen.seed, found.chosen.score) == ("best", 16, 2, 0.95)
    assert [(record["batch"], record["seed"]) for record in found.records] == [(8, 1), (8, 2), (16, 1), (16, 2)]
    assert [run.score for run in found.runs] == [0.7, 0.95], "of the best point"
    alone = outcome(texts, settings, {1: 0.9, 2: 0.8})
    assert (alone.of, alone.chosen.score) == ("median", 0.8), "what has no grid is scored as under sane"


def said_of(found: Outcome) -> str:
    """As tables say it."""
    row = {"score_is": found.of, "runs": found.records, "seeds": [run.score for run in found.runs]}
    return how_scored(row)


def test_the_median_is_of_the_seeds_that_did_not_diverge(texts: Examples) -> None:
    settings = SETTINGS.model_copy(update={"seeds": [1, 2, 3, 4]})
    found = outcome(texts, settings, {1: 0.9, 2: None, 3: 1.0, 4: 0.5})
    assert found.records[1] == {"seed": 2, "score": None, "collapsed": False, "diverged_at": 7}
    assert [run.seed for run in found.runs] == [run.seed for run in found.counted] == [1, 3, 4]
    assert (found.chosen.seed, found.chosen.score) == (1, 0.9)
    assert said_of(found) == "median of 3 seeds that ended; 1 of 4 collapsed; 1 of 4 diverged"
    assert failures({"runs": found.records}) == {"collapsed": 1, "diverged": 1}
    alone = outcome(texts, SETTINGS, {1: None, 2: 0.8})
    assert (alone.chosen.seed, said_of(alone)) == (2, "the one seed that ended; 1 of 2 diverged")


def test_restarts_replace_what_diverged(texts: Examples) -> None:
    scripted = {1: None, 2: 0.5, 3: 0.9, 4: None, 5: 0.95, 6: 1.0}
    for restarts, counted in ((0, [2, 3]), (1, [2, 3]), (2, [3, 5]), (3, [3, 5, 6]), (9, [3, 5, 6])):
        settings = SETTINGS.model_copy(update={"seeds": [1, 2, 3], "restarts": restarts})
        found = outcome(texts, settings, scripted)
        assert [run.seed for run in found.counted] == counted, restarts
        assert len(found.records) == 3 + min(restarts, 3)
    assert {one["seed"]: one.get("replaced_by") for one in found.records} == {
        1: 4,
        2: 5,
        3: None,
        4: 6,
        5: None,
        6: None,
    }
    assert said_of(found) == "median of 3 seeds; 1 of 6 collapsed; 2 of 6 diverged"


def test_what_collapsed_counts_again_where_all_that_was_tried_instead_diverged(texts: Examples) -> None:
    for seeds, scripted, counted in (
        ([1], {1: 0.5, 2: None, 3: None}, [1]),
        ([1], {1: 0.5, 2: 0.5, 3: None}, [2]),
        ([1, 2], {1: 0.5, 2: 0.9, 3: None, 4: None}, [1, 2]),
        ([1, 2], {1: 0.5, 2: None, 3: 0.9, 4: None}, [3]),
    ):
        settings = SETTINGS.model_copy(update={"seeds": seeds, "restarts": 2})
        found = outcome(texts, settings, scripted)
        assert sorted(run.seed for run in found.counted) == counted, scripted
        assert found.chosen.seed == counted[0]


def test_what_diverged_is_never_the_best_of_a_grid(texts: Examples) -> None:
    grid = Grid(batch=[8, 16, 32], learning_rate=[0.5], epochs=[1])
    settings = SETTINGS.model_copy(update={"protocol": "paper", "grid": grid})
    scripted = {(8, 1): None, (8, 2): None, (16, 1): None, (16, 2): 0.95, (32, 1): 0.9, (32, 2): 0.8}
    found = outcome(texts, settings, scripted, tunable=True)
    assert (found.of, found.chosen.settings.batch, found.chosen.seed) == ("best", 16, 2)
    assert [run.seed for run in found.counted] == [2]
    point = {"batch": 8, "learning_rate": 0.5, "epochs": 1}
    assert found.records[0] == {"seed": 1, "score": None, "collapsed": False, "diverged_at": 7, **point}
    assert said_of(found) == "best of 6 on dev; 3 of 6 diverged"


def test_only_where_all_diverge_is_it_an_error_that_names_where_the_rate_came_from(texts: Examples) -> None:
    step = "a training diverged at step 7: the loss is nan"
    with pytest.raises(FirthError) as raised:
        outcome(texts, SETTINGS.model_copy(update={"seeds": [1]}), {1: None})
    assert str(raised.value) == f"{step}; lower evaluation.finetuning.learning_rate (now 0.003)"
    with pytest.raises(FirthError) as raised:
        outcome(texts, SETTINGS.model_copy(update={"restarts": 1}), {1: None, 2: None, 3: None})
    all_of_them = "model-finetuned: all 3 trainings diverged; the first: "
    assert str(raised.value) == f"{all_of_them}{step}; lower evaluation.finetuning.learning_rate (now 0.003)"
    grid = Grid(batch=[8], learning_rate=[0.5, 0.25], epochs=[1])
    settings = SETTINGS.model_copy(update={"protocol": "paper", "grid": grid})
    with pytest.raises(FirthError) as raised:
        outcome(texts, settings, {(8, 1): None, (8, 2): None}, tunable=True)
    all_of_them = "model-finetuned: all 4 trainings diverged; one of the lowest rate: "
    assert str(raised.value) == f"{all_of_them}{step}; lower evaluation.grid.learning_rate (now 0.25)"


def diverging(seeds: list[int], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fine-tunings with these seeds meet a loss that is no number; the seeds of all that are begun."""
    begun, real = [], learners.finetune

    def finetune(
        encoder: BertEncoder, train: Reading, targets: Any, settings: Finetuning, seed: int, *more: Any
    ) -> Any:
        begun.append(seed)
        if seed not in seeds:
            return real(encoder, train, targets, settings, seed, *more)
        encoder = BertEncoder(bert())
        with torch.no_grad():
            encoder.bert.model.encoder.embeddings.tokens.weight.fill_(torch.inf)
        return real(encoder, train, targets, settings, seed, *more)

    monkeypatch.setattr(learners, "finetune", finetune)
    return begun


def test_an_evaluation_goes_on_after_a_training_that_diverged(
    tmp_path: Path, texts: Examples, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = diverging([2, 5], monkeypatch)
    settings = SETTINGS.model_copy(update={"seeds": [1, 2, 3], "ensemble": True})
    cells = Cells(tmp_path / "cells")
    scored = score_task(texts, {"model": MODEL}, settings, cells)
    row, ensemble = scored.results["systems"]
    assert row["runs"][1] == {"seed": 2, "score": None, "collapsed": False, "diverged_at": 1}
    assert row["seeds"] == [row["runs"][0]["score"], row["runs"][2]["score"]]
    assert row["score"] == min(row["seeds"])
    assert ensemble["ensemble_of"] == [1, 3]
    assert re.search("model-finetuned, seed 2: .*: fine-tuning diverged at step 1: ", capsys.readouterr().err)
    assert any("median of 2 seeds that ended" in line and "1 of 3 diverged" in line for line in summary(scored.results))
    assert len(list((tmp_path / "cells").iterdir())) == 2, "nothing is kept of what diverged"
    again = score_task(texts, {"model": MODEL}, settings, cells)
    assert begun == [1, 2, 3, 2]
    assert dumps(again.results) == dumps(scored.results)


def test_a_grid_that_diverges_names_its_own_rates(texts: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    diverging([1], monkeypatch)
    grid = Grid(batch=[16], learning_rate=[0.5], epochs=[1])
    settings = SETTINGS.model_copy(update={"protocol": "paper", "grid": grid, "seeds": [1]})
    with pytest.raises(FirthError, match=r"lower evaluation\.grid\.learning_rate \(now 0\.5\)$"):
        score_task(texts, {"model": MODEL}, settings)


@pytest.mark.slow
def test_all_of_it_on_a_real_grid(tmp_path: Path, texts: Examples) -> None:
    grid = Grid(batch=[16], learning_rate=[3e-3, 1e-6], epochs=[2])
    settings = SETTINGS.model_copy(update={"protocol": "paper", "grid": grid, "ensemble": True})
    scored = score_task(texts, {"model": MODEL}, settings)
    best, ensemble = scored.results["systems"]
    assert best["score"] == max(run["score"] for run in best["runs"])
    assert len(best["runs"]) == 4
    assert best["seeds"] == [run["score"] for run in best["runs"][:2]]
    assert best["details"]["learning_rate"] == 3e-3
    assert sum(run["collapsed"] for run in best["runs"]) >= 2, "a rate of 1e-6 learns nothing in so few steps"
    assert how_scored(best).startswith("best of 4 on dev; ")
    assert (ensemble["system"], ensemble["ensemble_of"]) == ("model-finetuned-ensemble", [1, 2])
    assert ensemble["label"] == "a model, fine-tuned, ensemble of 2"
    assert (how_scored(ensemble), ensemble["seeds"]) == ("ensemble of 2", [])
    assert set(scored.predictions) == {"model-finetuned", "model-finetuned-ensemble"}
    lines = list(summary(scored.results))
    assert "(best of 4 on dev; " in lines[1]
    assert lines[-1] == protocol_in_words(scored.results["settings"])
    assert "optimistic" in lines[-1]
    assert lines[-1].endswith(" A text's vector is the mean of its tokens' here, that of [CLS] in the paper.")
    assert protocol_in_words({"protocol": "paper", "pooling": "cls"}).endswith(" is that of [CLS], as in the paper.")
    assert dumps(score_task(texts, {"model": MODEL}, settings).results) == dumps(scored.results)


@pytest.mark.parametrize("kind", ["text", "span", "tagging", "number"])
def test_an_ensemble_is_of_the_mean_outputs(tmp_path: Path, kind: str) -> None:
    examples = examples_of(tmp_path, kind, draw(kind, 40, 1), draw(kind, 20, 2))
    problem = problem_of(examples)
    encoder = BertEncoder(bert())
    dev = problem.read(encoder, examples.dev)
    columns = problem.targets(problem.read(encoder, examples.train)).columns
    outputs = [np.random.default_rng(n).normal(size=(int(dev.starts[-1]), columns)) for n in (1, 2)]
    learned = {seed: Learned(out.astype(np.float32)) for seed, out in zip((1, 2), outputs, strict=True)}
    learner = Learner("finetuned", "", "", dev, {}, lambda seed, _: learned[seed], dict)
    trainings = Trainings(problem, examples, SETTINGS, None)
    together = trainings.ensemble(trainings.outcome(learner, "x"), learner)
    assert together == problem.predict(np.mean(outputs, axis=0).astype(np.float32), dev)


def test_without_training_of_the_encoder_rows_are_as_ever(texts: Examples) -> None:
    settings = Evaluation(protocol="paper", restarts=3, ensemble=True, seeds=[1, 2], bootstrap=100, threads=1)
    (row,) = score_task(texts, {"model": MODEL}, settings).results["systems"]
    assert set(row) == {
        "system", "encoder", "mode", "label", "score", "low", "high", "seeds", "tie_with_majority", "details",
    }  # fmt: skip
    assert how_scored(row) == "median of 2 seeds"


def test_the_best_epoch_counts(tmp_path: Path, texts: Examples) -> None:
    tuning = SETTINGS.finetuning.model_copy(update={"early_stopping": True, "epochs": 4, "patience": 4})
    early = SETTINGS.model_copy(update={"finetuning": tuning, "seeds": [1]})
    late = early.model_copy(update={"finetuning": tuning.model_copy(update={"early_stopping": False})})
    (stopped,), (whole,) = (score_task(texts, {"model": MODEL}, one).results["systems"] for one in (early, late))
    assert stopped["score"] >= whole["score"]
    assert 1 <= stopped["runs"][0]["epoch"] <= 4
    assert how_scored(stopped).startswith("one seed, epoch chosen on dev")
    assert "epoch" not in whole["runs"][0]


def test_a_training_ends_where_the_dev_side_gains_nothing_more(
    texts: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of weights that hardly change no epoch is better than the first."""
    slow = SETTINGS.finetuning.model_copy(update={"early_stopping": True, "epochs": 5, "learning_rate": 1e-9})
    looks: list[int] = []
    look = BestEpoch.__call__

    def noted(best: BestEpoch, tuned: Any, epoch: int) -> bool:
        looks.append(epoch)
        return look(best, tuned, epoch)

    monkeypatch.setattr(BestEpoch, "__call__", noted)
    for patience, looked in ((1, [1, 2]), (3, [1, 2, 3, 4]), (9, [1, 2, 3, 4, 5])):
        looks.clear()
        tuning = slow.model_copy(update={"patience": patience})
        settings = SETTINGS.model_copy(update={"finetuning": tuning, "seeds": [1]})
        (row,) = score_task(texts, {"model": MODEL}, settings).results["systems"]
        assert looks == looked
        assert row["runs"][0]["epoch"] == 1


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(1, 6))
def test_of_equal_epochs_the_first_and_none_behind_as_many_in_vain(scores: list[int], patience: int) -> None:
    class Tuned:
        def __init__(self, score: int) -> None:
            self.score = score

        def logits(self, reading: Reading) -> Any:
            return np.full((1, 1), self.score, np.float32)

    best = BestEpoch(NOTHING, lambda logits: float(logits[0, 0]), patience)
    ended = next((number for number, score in enumerate(scores, 1) if best(Tuned(score), number)), None)
    seen = scores[:ended]
    chosen = seen.index(max(seen)) + 1
    assert best.learned.epoch == chosen
    assert best.learned.logits[0, 0] == max(seen)
    assert (len(seen) - chosen == patience) if ended else (len(seen) - chosen < patience)


@pytest.mark.parametrize("kind", ["text", "pair", "span", "tagging", "number", "choice"])
def test_what_looks_at_no_example_has_collapsed_and_what_is_right_has_not(tmp_path: Path, kind: str) -> None:
    examples = examples_of(tmp_path, kind, draw(kind, 60, 1), draw(kind, 40, 2))
    problem, metric = problem_of(examples), examples.manifest["metric"]
    collapse = Collapse(problem, examples, 200)
    for predicted, expected in ((unseeing(problem, examples), True), (_gold(examples), False)):
        assert collapse.found(predicted, problem.measures(predicted)[metric]) is expected


def test_a_little_above_the_majority_may_be_chance(texts: Examples) -> None:
    problem = problem_of(texts)
    collapse = Collapse(problem, texts, 200)
    majority = unseeing(problem, texts)
    for right, expected in ((2, True), (12, False)):
        predicted, wrong = list(majority), [n for n, one in enumerate(texts.dev) if one["label"] != majority[n]]
        for number in wrong[:right]:
            predicted[number] = texts.dev[number]["label"]
        measure = problem.measures(predicted)["accuracy"]
        assert measure.score > problem.measures(majority)["accuracy"].score
        assert collapse.found(predicted, measure) is expected


@pytest.mark.parametrize("kind", ["tagging", "number"])
def test_what_is_weak_has_not_collapsed(tmp_path: Path, kind: str) -> None:
    """The guess beside tags and numbers knows the words: one can be behind it and have learned a lot."""
    dev = draw(kind, 60, 2)
    for one in dev:
        if kind == "number":
            one["first"] = " ".join(["film"] * round(one["score"]) + ["x"] * 5)
            one["second"] = " ".join(["film", *"abcde"[: 5 - round(one["score"])]])
    examples = examples_of(tmp_path, kind, draw(kind, 60, 1), dev)
    problem, metric = problem_of(examples), examples.manifest["metric"]
    weak = _gold(examples)
    chance = np.random.default_rng(1)
    for number in range(0, len(weak), 2):
        weak[number] = ["O"] * len(weak[number]) if kind == "tagging" else float(chance.integers(6))
    measure = problem.measures(weak)[metric]
    majority = problem.measures(problem.baseline()[0])[metric]
    assert kind == "number" or measure.score < majority.score
    assert not Collapse(problem, examples, 200).found(weak, measure)


def _gold(examples: Examples) -> list[Any]:
    field = {"tagging": "tags", "number": "score", "span": "answers"}.get(examples.kind, "label")
    gold = [example[field] for example in examples.dev]
    return [answers[0]["text"] for answers in gold] if examples.kind == "span" else gold


def test_sane_is_short_and_grids_are_finite() -> None:
    with pytest.raises(ValidationError, match=r"finetuning\.epochs 6: the protocol sane has 5 at most; .* \[6\]"):
        Evaluation(modes=["finetuned"], finetuning=Finetuning(epochs=6))
    assert Evaluation(finetuning=Finetuning(epochs=6)).protocol == "sane", "nothing is fine-tuned"
    assert Evaluation(modes=["finetuned"], finetuning=Finetuning(epochs=6), protocol="paper").grid == Grid()
    with pytest.raises(ValidationError, match=r"grid\.epochs names something twice"):
        Grid(epochs=[2, 2])
    with pytest.raises(ValidationError, match=r"grid has 150 points"):
        Grid(batch=[1, 2, 3, 4, 5], epochs=list(range(1, 11)))
