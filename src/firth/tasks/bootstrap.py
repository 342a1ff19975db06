"""Percentile bootstrap (Efron 1979): 95% intervals, the same for the same seed.

Questions are resampled as if they were independent. Those of one analogy section share words, so that the intervals of
analogies are narrower than a resampling of words would give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = (2.5, 97.5)
BLOCK_VALUES = 4_000_000
"""Values ranked at once: bounds the memory of many resamples of a long list."""


ScoreOf = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From sums of examples' counts (resamples, counts) to scores (resamples,): any score that depends on sums alone."""

WeightedScore = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From how often each example is in each resample (resamples, examples) to scores (resamples,): any score at all."""


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


def score_interval(counts: NDArray[np.float64], score_of: ScoreOf, resamples: int, seed: int) -> Interval:
    """Interval of `score_of` the summed `counts` (examples, counts) over resampled examples."""
    return resampled_interval(lambda weights: score_of(weights @ counts), len(counts), resamples, seed)


def resampled_interval(score: WeightedScore, examples: int, resamples: int, seed: int) -> Interval:
    """Interval of `score` over resamples of `examples`.

    Of the difference of two scores the bootstrap is paired: each resample takes the same examples of both.
    """
    drawn = np.concatenate([score(weights) for weights in resampled(examples, resamples, seed)])
    low, high = np.percentile(drawn, LEVEL)
    return Interval(float(low), float(high))


def resampled(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each of `count` examples is in each resample: blocks (resamples, count)."""
    rng = np.random.default_rng(seed)
    rows = max(1, BLOCK_VALUES // count)
    for start in range(0, resamples, rows):
        wanted = min(rows, resamples - start)
        picks = rng.integers(0, count, (wanted, count)) + np.arange(wanted)[:, None] * count
        yield np.bincount(picks.ravel(), minlength=wanted * count).reshape(wanted, count).astype(np.float64)


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
