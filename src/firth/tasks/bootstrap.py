"""Percentile bootstrap (Efron 1979): 95% intervals, the same for the same seed.

Questions are resampled as if they were independent. Those of one analogy section share words, so that the intervals of
analogies are narrower than a resampling of words would give.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = (2.5, 97.5)
BLOCK_VALUES = 4_000_000
"""Values ranked at once: bounds the memory of many resamples of a long list."""


class Interval(NamedTuple):
    """95% confidence interval."""

    low: float
    high: float


def accuracy_interval(correct: int, covered: int, resamples: int, seed: int) -> Interval:
    """Interval of `correct / covered`: a resample of zeros and ones is one binomial draw."""
    draws = np.random.default_rng(seed).binomial(covered, correct / covered, resamples) / covered
    low, high = np.percentile(draws, LEVEL)
    return Interval(float(low), float(high))


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Spearman's rho with average ranks for ties; None for fewer than two values or where all are equal."""
    if len(first) < 2:
        return None
    rho = float(_correlations(first[None], second[None])[0])
    return None if np.isnan(rho) else rho


def rank_interval(
    first: NDArray[np.float64], second: NDArray[np.float64], resamples: int, seed: int
) -> Interval | None:
    """Interval of Spearman's rho over resampled pairs; None where no resample has two different values."""
    rng = np.random.default_rng(seed)
    count = len(first)
    rows = max(1, BLOCK_VALUES // count)
    drawn = []
    for start in range(0, resamples, rows):
        picks = rng.integers(0, count, (min(rows, resamples - start), count))
        drawn.append(_correlations(first[picks], second[picks]))
    values = np.concatenate(drawn)
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, LEVEL)
    return Interval(float(low), float(high))


def _correlations(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's rho of each row of two (rows, values) tables; NaN where a row is constant."""
    from scipy.stats import rankdata

    x = rankdata(first, axis=1)
    y = rankdata(second, axis=1)
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    norm = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    out: NDArray[np.float64] = np.full(len(x), np.nan)
    np.divide((x * y).sum(axis=1), norm, out=out, where=norm > 0)
    return out
