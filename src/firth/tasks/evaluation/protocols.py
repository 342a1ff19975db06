"""Which trainings of one way to use an encoder are made, and which of them is the score: the protocols.

`sane`: one setting, the median of the seeds. `paper`: a fine-tuned BERT is trained with every point of a grid and every
seed, and the one that is best on the dev side is the score (section 4.1 of the paper); having been chosen by the very
examples it is scored on, it is an optimistic one. Whatever has no grid is scored as under `sane`.

A training that diverges has no score: it is recorded, may be replaced by one with another seed, and is otherwise left
out of the median, the grid's best and the ensemble. Where all of them diverge, that is an error.
"""

from __future__ import annotations

import itertools
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from firth.canonical import value_sha256
from firth.config.usages import Evaluation, Finetuning
from firth.errors import FirthError
from firth.tasks.encoders.reading import Floats
from firth.tasks.evaluation.cells import Cells
from firth.tasks.evaluation.collapse import Collapse
from firth.tasks.evaluation.learners import Learner
from firth.tasks.examples.files import Examples
from firth.tasks.learning.divergence import DivergedError
from firth.tasks.learning.stopping import Learned
from firth.tasks.measures.measures import Score
from firth.tasks.usages.problems import Problem


@dataclass(frozen=True, eq=False)
class Run:
    """One training, scored on the dev side."""

    seed: int
    settings: Finetuning
    learned: Learned
    predicted: list[Any]
    measures: Mapping[str, Score]
    score: float
    collapsed: bool = False
    replaced_by: int | None = None
    """The further seed that was tried because this one had collapsed; it then is no part of the score."""

    @property
    def failed(self) -> bool:
        """Whether a restart may take its place."""
        return self.collapsed

    @property
    def point(self) -> dict[str, Any]:
        """Its place on a grid."""
        return _point(self.settings)


@dataclass(frozen=True, eq=False)
class Diverged:
    """One training that came to no end, and so to no score."""

    seed: int
    settings: Finetuning
    step: int
    said: str
    """The error's message. The error itself would hold on to the whole model by its traceback."""
    replaced_by: int | None = None
    """The further seed that was tried because this one had diverged."""
    failed: Literal[True] = True


@dataclass(frozen=True, eq=False)
class Outcome:
    """What all trainings of one learner come to."""

    of: Literal["median", "best"]
    """What the score is of the runs: the median of those that count, or the best."""
    chosen: Run
    """The run that the score is of."""
    runs: Sequence[Run]
    """Those with the chosen run's settings that did not diverge, in the order in which they were made."""
    records: Sequence[dict[str, Any]]
    """Of every training, on a grid with its point: `seed`, `score`, `collapsed`; `replaced_by` and `epoch` where known;
    of a diverged one `score` None, and `diverged_at`, the step at which it ended."""

    @property
    def counted(self) -> list[Run]:
        """The runs that nothing replaces."""
        return [run for run in self.runs if run.replaced_by is None]


class Trainings:
    """Makes the trainings on one task that a protocol asks for."""

    def __init__(self, problem: Problem, examples: Examples, settings: Evaluation, cells: Cells | None) -> None:
        self._problem, self._settings, self._cells = problem, settings, cells
        self._metric = examples.manifest["metric"]
        self._examples = value_sha256(examples.manifest)
        self._collapse = Collapse(problem, examples, settings.bootstrap)

    def outcome(self, learner: Learner, system: str) -> Outcome:
        """All trainings of `learner`, which is called `system`, and which of them counts.

        Raises:
            FirthError: all of them diverged.
        """
        grid = learner.tunable and self._settings.protocol == "paper"
        points = list(_points(self._settings)) if grid else [self._settings.finetuning]
        identity = None if learner.identity is None else learner.identity()
        best: list[Run] = []
        records: list[dict[str, Any]] = []
        diverged: list[Diverged] = []
        for point in points:
            made = self._runs(learner, identity, point, f"{system}{_said(point) if grid else ''}")
            records += [_record(run, grid) for run in made]
            diverged += [run for run in made if isinstance(run, Diverged)]
            runs = [run for run in made if isinstance(run, Run)]
            if runs and (not best or _best(runs).score > _best(best).score):  # the runs of the others are let go
                best = runs
        if not best:
            raise _nothing_left(system, diverged)
        if grid:
            return Outcome("best", _best(best), best, records)
        return Outcome("median", _median([run for run in best if run.replaced_by is None]), best, records)

    def ensemble(self, outcome: Outcome, learner: Learner) -> list[Any]:
        """The predictions of the mean outputs of the runs that count."""
        outputs = [run.learned.logits.astype(np.float64) for run in outcome.counted]
        mean: Floats = np.mean(outputs, axis=0).astype(np.float32)
        return self._problem.predict(mean, learner.dev)

    def _runs(
        self, learner: Learner, identity: dict[str, Any] | None, point: Finetuning, title: str
    ) -> list[Run | Diverged]:
        """One run for each seed; then, as far as restarts go, one with a further seed for each that has failed."""
        runs = [self._run(learner, identity, point, seed, title) for seed in self._settings.seeds]
        further = itertools.count(max(self._settings.seeds) + 1)
        for seed in itertools.islice(further, self._settings.restarts):
            failed = next((n for n, run in enumerate(runs) if run.failed and run.replaced_by is None), None)
            if failed is None:
                break
            runs[failed] = replace(runs[failed], replaced_by=seed)
            runs.append(self._run(learner, identity, point, seed, f"{title}, instead of seed {runs[failed].seed}"))
        return _taken_back(runs)

    def _run(
        self, learner: Learner, identity: dict[str, Any] | None, point: Finetuning, seed: int, title: str
    ) -> Run | Diverged:
        def learn() -> Learned:
            if identity is not None:
                print(f"{title}, seed {seed} …", file=sys.stderr, flush=True)
            return learner.learn(seed, point)

        try:
            if identity is None or self._cells is None:
                learned = learn()
            else:
                depends_on = {
                    "examples": self._examples, "encoder": identity, "mode": learner.mode, "system": learner.suffix,
                    "settings": point.model_dump(mode="json"), "seed": seed, "threads": self._settings.threads,
                }  # fmt: skip
                learned = self._cells.learned(depends_on, learn, f"{title}, seed {seed}")
        except DivergedError as error:
            print(f"{title}, seed {seed}: {error}", file=sys.stderr, flush=True)
            return Diverged(seed, point, error.step, str(error))
        predicted = self._problem.predict(learned.logits, learner.dev)
        measures = self._problem.measures(predicted)
        measure = measures[self._metric]
        collapsed = identity is not None and self._collapse.found(predicted, measure)
        return Run(seed, point, learned, predicted, measures, measure.score, collapsed)


def _points(settings: Evaluation) -> Iterator[Finetuning]:
    grid = settings.grid
    for batch, learning_rate, epochs in itertools.product(grid.batch, grid.learning_rate, grid.epochs):
        yield settings.finetuning.model_copy(update={"batch": batch, "learning_rate": learning_rate, "epochs": epochs})


def _said(point: Finetuning) -> str:
    return f", batch {point.batch}, learning rate {point.learning_rate:g}, {point.epochs} epochs"


def _point(settings: Finetuning) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("batch", "learning_rate", "epochs")}


def _record(run: Run | Diverged, grid: bool) -> dict[str, Any]:
    record: dict[str, Any] = {"seed": run.seed}
    if isinstance(run, Diverged):
        record |= {"score": None, "collapsed": False, "diverged_at": run.step}
    else:
        record |= {"score": run.score, "collapsed": run.collapsed}
        if run.learned.epoch is not None:
            record["epoch"] = run.learned.epoch
    if run.replaced_by is not None:
        record["replaced_by"] = run.replaced_by
    if grid:
        record |= _point(run.settings)
    return record


def _taken_back(runs: Sequence[Run | Diverged]) -> list[Run | Diverged]:
    """Without the replacements that came to nothing: what collapsed counts where all after it diverged."""
    vain = {run.seed for run in runs if isinstance(run, Diverged) and run.replaced_by is None}
    kept: list[Run | Diverged] = []
    for run in reversed(runs):  # a replacement stands behind what it replaces
        in_vain = run.replaced_by in vain
        if in_vain and isinstance(run, Diverged):
            vain.add(run.seed)
        kept.append(replace(run, replaced_by=None) if in_vain and isinstance(run, Run) else run)
    return kept[::-1]


def _nothing_left(system: str, diverged: Sequence[Diverged]) -> FirthError:
    """Why there is no score, and what would help."""
    mildest = min(diverged, key=lambda run: run.settings.learning_rate)
    if len(diverged) == 1:
        return FirthError(mildest.said)
    which = "the first" if len({run.settings.learning_rate for run in diverged}) == 1 else "one of the lowest rate"
    return FirthError(f"{system}: all {len(diverged)} trainings diverged; {which}: {mildest.said}")


def _best(runs: Sequence[Run]) -> Run:
    """Of equals the first."""
    return max(runs, key=lambda run: run.score)


def _median(runs: Sequence[Run]) -> Run:
    """Of an even number the lower one in the middle."""
    median = statistics.median_low(run.score for run in runs)
    return next(run for run in runs if run.score == median)
