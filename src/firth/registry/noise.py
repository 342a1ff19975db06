"""Whether a gain is more than the noise of examples and seeds.

Two things make a score of a task noisy: which examples happen to be asked, and which seed the head was trained with.
Both are drawn again. A resample takes as many dev examples, with replacement, the same of both models (the paired
bootstrap of Efron and Tibshirani, 1993, as of Berg-Kirkpatrick et al., 2012), and scores what the median seed of each
answered; to the difference it adds how far a seed of each model, drawn at random, lies from that median. On a suite of
words the examples are its questions or pairs, of held-out text its instances, and there is one seed: what another
training of the same recipe would have come to is not asked.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np

from firth.choices import WORD_SUITES
from firth.errors import DataError
from firth.registry import heldout_singles, word_singles
from firth.registry.gate import Noise
from firth.registry.singles import Singles
from firth.tasks.bootstrap import resampled
from firth.tasks.examples.files import load
from firth.tasks.measures.measures import Score
from firth.tasks.usages.problems import problem_of
from firth.tracking.evidence import MLM

RESAMPLES = 10_000
SEED = 1
EXAMPLES = {"analogies": "questions", "wordsim353": "pairs", "simlex999": "pairs", MLM: "held-out instances"}
"""What is drawn, in words."""


def noise_of_gain(root: Path, challenger: Singles, champion: Singles, min_gain: float) -> Noise:
    """In what share of resamples `challenger` gains, by `min_gain` at least; on the suite's examples in `root`.

    Raises:
        DataError: one of them has not answered these very examples.
    """
    ours, theirs = _scores(root, challenger.task, (challenger, champion))
    gains = np.concatenate(
        [ours.under(weights) - theirs.under(weights) for weights in resampled(len(ours), RESAMPLES, SEED)]
    )
    rng = np.random.default_rng(SEED)
    gains += rng.choice(_deviations(challenger), RESAMPLES) - rng.choice(_deviations(champion), RESAMPLES)
    better = gains >= min_gain if min_gain > 0 else gains > 0
    drawn = " and of seeds" if max(len(challenger.seeds), len(champion.seeds)) > 1 else ""
    over = f"{len(ours):,} {EXAMPLES.get(challenger.task, 'dev examples')}{drawn}"
    return Noise(round(float(better.mean()), 4), RESAMPLES, over)


def _scores(root: Path, suite: str, answered: tuple[Singles, Singles]) -> list[Score]:
    if suite == MLM:
        return heldout_singles.scores(answered)
    return (word_singles.scores if suite in WORD_SUITES else _task_scores)(root, suite, answered)


def _task_scores(root: Path, task: str, answered: tuple[Singles, Singles]) -> list[Score]:
    folder = root / "data" / "examples" / task
    examples = load(folder)
    dev = examples.manifest["files"]["dev.jsonl"]["sha256"]
    if any(singles.dev != dev for singles in answered):
        raise DataError("not the examples that both models have answered; run the stages examples and tasks", folder)
    problem, metric = problem_of(examples), examples.manifest["metric"]
    return [
        problem.measures([singles.predicted[example["id"]] for example in examples.dev])[metric] for singles in answered
    ]


def _deviations(singles: Singles) -> list[float]:
    """Of each seed's score from the median's, whose answers are kept."""
    median = statistics.median_low(singles.seeds)
    return [score - median for score in singles.seeds]
