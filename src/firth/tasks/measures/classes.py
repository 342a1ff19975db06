"""Accuracy, F1 and Matthews correlation of labels.

F1 is the macro average: the mean over the labels that occur, expected or predicted, of each one's F1. Where an official
scorer asks for the F1 of one label (MRPC, QQP), `positive` names it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firth.tasks.measures.measures import Counts, Measure, ratio


def measures(expected: Sequence[str], predicted: Sequence[str], positive: str | None = None) -> dict[str, Measure]:
    """`accuracy`, `f1` and `matthews` of `predicted` labels (examples,) against `expected` ones."""
    labels = {label: number for number, label in enumerate(sorted({*expected, *predicted}))}
    if positive is not None and positive not in labels:
        labels[positive] = len(labels)
    counts: Counts = np.zeros((len(expected), 3, len(labels)))
    for row, (gold, guess) in enumerate(zip(expected, predicted, strict=True)):
        counts[row, 0, labels[guess]] = gold == guess
        counts[row, 1, labels[guess]] = 1
        counts[row, 2, labels[gold]] = 1
    flat = counts.reshape(len(expected), -1)
    only = None if positive is None else labels[positive]
    return {
        "accuracy": Measure(flat, accuracy_of),
        "f1": Measure(flat, lambda sums: f1_of(sums, only)),
        "matthews": Measure(flat, matthews_of),
    }


def accuracy_of(sums: Counts) -> Counts:
    """Share of right labels; `sums` (resamples, 3 * labels) are right, predicted and expected of each label."""
    right, _, expected = _split(sums)
    return ratio(right.sum(axis=1), expected.sum(axis=1))


def f1_of(sums: Counts, only: int | None = None) -> Counts:
    """Mean F1 of the labels that occur, or the F1 of label `only`; sums as for `accuracy_of`."""
    right, predicted, expected = _split(sums)
    occurs = predicted + expected
    f1 = ratio(2 * right, occurs)
    return f1[:, only] if only is not None else ratio(f1.sum(axis=1), (occurs > 0).sum(axis=1).astype(np.float64))


def matthews_of(sums: Counts) -> Counts:
    """Matthews correlation, of any number of labels (Gorodkin 2004); 0 where one side is constant."""
    right, predicted, expected = _split(sums)
    total = expected.sum(axis=1)
    covariance = right.sum(axis=1) * total - (predicted * expected).sum(axis=1)
    spread = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (expected**2).sum(axis=1))
    return ratio(covariance, np.sqrt(spread))


def _split(sums: Counts) -> tuple[Counts, Counts, Counts]:
    right, predicted, expected = sums.reshape(len(sums), 3, -1).transpose(1, 0, 2)
    return right, predicted, expected
