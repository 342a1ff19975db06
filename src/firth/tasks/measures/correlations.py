"""Pearson's and Spearman's correlation of numbers, and the mean of both, which is GLUE's score of STS-B.

A resample says how often each example is in it. Pearson's correlation is then one of weighted values; Spearman's is
that of ranks, which differ from resample to resample: they are counted from the weights, without sorting again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firth.tasks.measures.measures import Counts, Score, ratio

FLAT = 1e-28
"""Mean square, of numbers within ±1, that is but the rounding of equal ones."""


def measures(expected: Sequence[float], predicted: Sequence[float]) -> dict[str, Score]:
    """`pearson_spearman`, `pearson` and `spearman` of `predicted` numbers (examples,) with `expected` ones.

    Where either side is constant no correlation is defined; the score then is 0.
    """
    first, second = scaled(expected), scaled(predicted)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} numbers expected, {len(second)} predicted")
    # Ranks are of the numbers as they are: centring may make nearly equal ones equal.
    raw = [np.array(numbers, dtype=np.float64) for numbers in (expected, predicted)]
    pearson, spearman = Pearson(first, second), Spearman(*raw)
    return {"pearson_spearman": Mean((pearson, spearman)), "pearson": pearson, "spearman": spearman}


def scaled(numbers: Sequence[float]) -> Counts:
    """Numbers centred and within ±1, so that sums of their squares lose no digits; zeros where all are equal."""
    values = np.array(numbers, dtype=np.float64)
    if not len(values) or values.min() == values.max():
        return np.zeros(len(values))
    centred = values - values.mean()
    within: Counts = centred / np.abs(centred).max()
    return within


@dataclass(frozen=True, eq=False)
class Pearson(Score):
    """Of two lists of scaled numbers (examples,)."""

    first: Counts
    second: Counts

    def __len__(self) -> int:
        return len(self.first)

    def under(self, weights: Counts) -> Counts:
        """The correlation in each resample, 0 where one side is constant in it."""
        return _correlation(self.first[None], self.second[None], weights)

    def each(self) -> list[float]:
        """The product of each example's two standard scores: their mean is the correlation."""
        return _products(self.first, self.second)


@dataclass(frozen=True, eq=False)
class Spearman(Score):
    """Of two lists of numbers (examples,): Pearson's correlation of ranks, the average rank for equal numbers."""

    first: Counts
    second: Counts

    def __len__(self) -> int:
        return len(self.first)

    def under(self, weights: Counts) -> Counts:
        """The correlation in each resample, among whose numbers the ranks are; 0 where one side is constant in it."""
        return _correlation(ranks(self.first, weights), ranks(self.second, weights), weights)

    def each(self) -> list[float]:
        """The product of the standard scores of each example's two ranks: their mean is the correlation."""
        once = np.ones((1, len(self)))
        return _products(*(ranks(side, once)[0] for side in (self.first, self.second)))


@dataclass(frozen=True, eq=False)
class Mean(Score):
    """Of several scores of the same examples."""

    parts: Sequence[Score]

    def __len__(self) -> int:
        return len(self.parts[0])

    def under(self, weights: Counts) -> Counts:
        """The mean in each resample."""
        mean: Counts = np.mean([part.under(weights) for part in self.parts], axis=0)
        return mean

    def each(self) -> list[float]:
        """The mean of what each example adds to the parts."""
        return [float(value) for value in np.mean([part.each() for part in self.parts], axis=0)]


def ranks(values: Counts, weights: Counts) -> Counts:
    """Ranks (resamples, examples) from 1 of `values` (examples,), each there as often as `weights` say.

    Equal values, the copies of one example among them, share the average of their ranks. An example that is not in a
    resample has a rank that nothing asks for.
    """
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    by_value = weights[:, np.argsort(number, kind="stable")]
    equal = np.add.reduceat(by_value, np.cumsum(counts) - counts, axis=1)  # (resamples, different values)
    average: Counts = np.cumsum(equal, axis=1) - (equal - 1) / 2
    return average[:, number]


def _correlation(first: Counts, second: Counts, weights: Counts) -> Counts:
    """Pearson's correlation (resamples,) of values (resamples or 1, examples) that count as `weights` say."""
    x, y = (_centred(values, weights) for values in (first, second))
    squares = (weights * x * x).sum(axis=1), (weights * y * y).sum(axis=1)
    flat = np.minimum(*squares) <= FLAT * weights.sum(axis=1)
    norm = np.where(flat, 0.0, np.sqrt(squares[0]) * np.sqrt(squares[1]))
    correlation: Counts = np.clip(ratio((weights * x * y).sum(axis=1), norm), -1.0, 1.0)
    return correlation


def _centred(values: Counts, weights: Counts) -> Counts:
    mean = (weights * values).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)
    centred: Counts = values - mean
    return centred


def _products(first: Counts, second: Counts) -> list[float]:
    """The product of two standard scores (examples,); zeros where one side is constant."""
    x, y = first - first.mean(), second - second.mean()
    norm = np.sqrt((x * x).mean() * (y * y).mean())
    return [float(value) for value in (x * y / norm if norm > FLAT else np.zeros(len(x)))]
