"""Scores that can be taken again of resampled examples; most are of sums of counts, and that is a matrix product."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.tasks.bootstrap import Interval, ScoreOf, resampled_interval

Counts = NDArray[np.float64]
BOOTSTRAP_SEED = 1


class Score(ABC):
    """A score over examples."""

    @abstractmethod
    def __len__(self) -> int:
        """How many examples there are."""

    @abstractmethod
    def under(self, weights: Counts) -> Counts:
        """The scores (resamples,) where `weights` (resamples, examples) say how often each example is in a resample."""

    @abstractmethod
    def each(self) -> list[float]:
        """What each example adds or gets."""

    @property
    def score(self) -> float:
        """The score over all examples."""
        return float(self.under(np.ones((1, len(self))))[0])

    def interval(self, resamples: int) -> Interval:
        """95% bootstrap interval over examples."""
        return resampled_interval(self.under, len(self), resamples, BOOTSTRAP_SEED)

    def ties_with(self, other: Score, resamples: int) -> bool:
        """Whether the paired 95% bootstrap interval of the difference to `other` holds 0."""
        low, high = resampled_interval(
            lambda weights: self.under(weights) - other.under(weights), len(self), resamples, BOOTSTRAP_SEED
        )
        return low <= 0.0 <= high


@dataclass(frozen=True, eq=False)
class Measure(Score):
    """A score of sums: `counts` (examples, k) are what each adds; `score_of` makes scores of sums (resamples, k)."""

    counts: Counts
    score_of: ScoreOf

    def __len__(self) -> int:
        return len(self.counts)

    def under(self, weights: Counts) -> Counts:
        """The score of each resample's sums."""
        return self.score_of(weights @ self.counts)

    @property
    def score(self) -> float:
        """The score over all examples."""
        return float(self.score_of(self.counts.sum(axis=0, keepdims=True))[0])

    def each(self) -> list[float]:
        """Each example scored by itself."""
        return [float(value) for value in self.score_of(self.counts)]


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
