"""What is asked in each usage: readings, targets, predictions, scores, and the answer that needs no encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from firth.errors import DataError
from firth.tasks.encoders.reading import Encoder, Floats, Reading
from firth.tasks.examples.files import Examples
from firth.tasks.learning.heads import ClassTargets, Targets
from firth.tasks.measures import classes
from firth.tasks.measures.measures import Measure, Score
from firth.tasks.usages.answering import Answering
from firth.tasks.usages.choices import Choices
from firth.tasks.usages.labels import at_least_two, most_frequent
from firth.tasks.usages.numbers import Numbers
from firth.tasks.usages.tagging import Tagging
from firth.tasks.usages.usage import PairLabels, TextLabels, Usage

OFFICIAL_POSITIVE = {"mrpc": "1", "qqp": "1"}
"""The label whose F1 the official scorers of these sets give."""

Example = dict[str, Any]


class Problem(Protocol):
    """One usage on one data set. Sides are lists of examples; predictions are as they are written to JSON."""

    expected: list[Any]
    """Of the dev side."""

    @property
    def usage(self) -> Usage:
        """What remains of it without its examples."""

    def read(self, encoder: Encoder, examples: Sequence[Example]) -> Reading:
        """The examples as the encoder reads them."""

    def targets(self, reading: Reading, /) -> Targets:
        """What a head learns on the training side's reading."""

    def predict(self, logits: Floats, reading: Reading, /) -> list[Any]:
        """One prediction for each dev example, from the head's outputs (rows, columns)."""

    def baseline(self) -> tuple[list[Any], str]:
        """Predictions for the dev side that ask no encoder, and what they are."""

    def measures(self, predicted: list[Any]) -> Mapping[str, Score]:
        """Scores of predictions for the dev side, by metric."""

    def constant(self, predicted: list[Any]) -> bool:
        """Whether they say one thing only."""

    def reach(self, reading: Reading, /) -> dict[str, float]:
        """How much of the dev side the encoder got to see, where it can be too little."""


def problem_of(examples: Examples) -> Problem:
    """The problem that `examples` pose.

    Raises:
        DataError: a side is empty, or there is nothing to tell apart.
    """
    for side, listed in (("train", examples.train), ("dev", examples.dev)):
        if not listed:
            raise DataError(f"the {side} side has no examples", examples.manifest["task"])
    kinds: dict[str, Callable[[Examples], Problem]] = {
        "text": Classes,
        "pair": Classes,
        "span": Answering,
        "tagging": Tagging,
        "number": Numbers,
        "choice": Choices,
    }
    return kinds[examples.kind](examples)


class Classes:
    """A label for one text or for two."""

    def __init__(self, examples: Examples) -> None:
        self._train = [example["label"] for example in examples.train]
        self._labels = at_least_two(self._train, examples)
        kind = PairLabels if examples.kind == "pair" else TextLabels
        self.usage = kind(self._labels, int(examples.manifest["length"]))
        self._dev = examples.dev
        self._positive = OFFICIAL_POSITIVE.get(examples.manifest["published"])
        self.expected = [example["label"] for example in examples.dev]

    def read(self, encoder: Encoder, examples: Sequence[Example]) -> Reading:
        """One row an example."""
        return self.usage.read(encoder, examples)

    def targets(self, _reading: Reading, /) -> ClassTargets:
        """The labels' numbers."""
        numbers = np.array([self._labels.index(label) for label in self._train], dtype=np.int64)
        return ClassTargets(len(self._labels), np.arange(len(numbers)), numbers)

    def predict(self, logits: Floats, reading: Reading, /) -> list[str]:
        """The label of the greatest output."""
        return self.usage.predicted(logits, reading, self._dev)

    def baseline(self) -> tuple[list[str], str]:
        """The training side's most frequent label."""
        label = most_frequent(self._train)
        return [label] * len(self.expected), f"always {label!r}, the most frequent label"

    def measures(self, predicted: list[str]) -> dict[str, Measure]:
        """accuracy, f1, matthews."""
        return classes.measures(self.expected, predicted, self._positive)

    def constant(self, predicted: list[str]) -> bool:
        """One label for all."""
        return len(set(predicted)) == 1

    def reach(self, _reading: Reading, /) -> dict[str, float]:
        """Every text is read, as far as the length goes."""
        return {}
