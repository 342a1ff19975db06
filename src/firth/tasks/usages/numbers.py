"""The number usage: one number for two texts, by regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from firth.errors import DataError
from firth.tasks.encoders.reading import Encoder, Floats, Reading
from firth.tasks.examples.files import Examples
from firth.tasks.learning.heads import NumberTargets
from firth.tasks.measures import correlations
from firth.tasks.measures.measures import Score
from firth.tasks.usages.usage import Number
from firth.tokens.words import SENTENCE_END, split

SAME = 0.01
"""Predictions within this part of the training numbers' standard deviation are one prediction."""


class Numbers:
    """A number for two texts. One output is learned, on numbers of mean 0 and deviation 1, with the squared error."""

    def __init__(self, examples: Examples) -> None:
        self._train = np.array([example["score"] for example in examples.train], dtype=np.float64)
        if self._train.min() == self._train.max():
            raise DataError(
                f"the train side has only the number {self._train[0]:g}: nothing to tell apart",
                examples.manifest["task"],
            )
        self.usage = Number(float(self._train.mean()), float(self._train.std()), int(examples.manifest["length"]))
        self._dev = examples.dev
        self.expected = [float(example["score"]) for example in examples.dev]

    def read(self, encoder: Encoder, examples: Sequence[dict[str, Any]]) -> Reading:
        """One row a pair."""
        return self.usage.read(encoder, examples)

    def targets(self, _reading: Reading, /) -> NumberTargets:
        """The standardised numbers."""
        standard = (self._train - self.usage.mean) / self.usage.deviation
        return NumberTargets(np.arange(len(standard)), standard.astype(np.float32))

    def predict(self, logits: Floats, reading: Reading, /) -> list[float]:
        """The output as a number of the training side's kind."""
        return self.usage.predicted(logits, reading, self._dev)

    def baseline(self) -> tuple[list[float], str]:
        """The share of words that both texts have; a constant would have no correlation."""
        shares = [overlap(example["first"], example["second"]) for example in self._dev]
        return shares, "the share of the two texts' words that both have"

    def measures(self, predicted: list[float]) -> dict[str, Score]:
        """pearson_spearman, pearson, spearman."""
        return correlations.measures(self.expected, predicted)

    def constant(self, predicted: list[float]) -> bool:
        """Nearly one number for all: a head that has collapsed gives the mean and some noise."""
        return max(predicted) - min(predicted) <= SAME * self.usage.deviation

    def reach(self, _reading: Reading, /) -> dict[str, float]:
        """Every text is read, as far as the length goes."""
        return {}


def overlap(first: str, second: str) -> float:
    """Words that are in both texts, of those that are in either (Jaccard's index); 0 where there are none."""
    a, b = (set(split([text], lowercase=True, numbers="keep")) - {SENTENCE_END} for text in (first, second))
    return len(a & b) / len(a | b) if a | b else 0.0
