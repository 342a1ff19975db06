"""A score as sums of per-example counts, so that resampling examples and scoring again is one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.tasks.bootstrap import Interval, ScoreOf, difference_interval, score_interval

Counts = NDArray[np.float64]
BOOTSTRAP_SEED = 1


@dataclass(frozen=True, eq=False)
class Measure:
    """`counts` (examples, k) are what each example adds; `score_of` turns sums (resamples, k) into scores."""

    counts: Counts
    score_of: ScoreOf

    @property
    def score(self) -> float:
        """The score over all examples."""
        return float(self.score_of(self.counts.sum(axis=0, keepdims=True))[0])

    def each(self) -> list[float]:
        """Each example scored by itself."""
        return [float(value) for value in self.score_of(self.counts)]

    def interval(self, resamples: int) -> Interval:
        """95% bootstrap interval over examples."""
        return score_interval(self.counts, self.score_of, resamples, BOOTSTRAP_SEED)

    def ties_with(self, other: Measure, resamples: int) -> bool:
        """Whether the paired 95% bootstrap interval of the difference to `other` holds 0."""
        low, high = difference_interval(self.counts, other.counts, self.score_of, resamples, BOOTSTRAP_SEED)
        return low <= 0.0 <= high


def mean_of(sums: Counts) -> Counts:
    """First sum by second, 0 where there is nothing: the score of counts `(value, 1)`."""
    return ratio(sums[:, 0], sums[:, 1])


def ratio(top: Counts, bottom: Counts) -> Counts:
    """`top / bottom`, 0 where `bottom` is."""
    out: Counts = np.zeros(np.broadcast(top, bottom).shape)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out


def mean(values: Sequence[float]) -> Measure:
    """The mean of the examples' own scores."""
    return Measure(np.array([[value, 1.0] for value in values], dtype=np.float64).reshape(-1, 2), mean_of)
