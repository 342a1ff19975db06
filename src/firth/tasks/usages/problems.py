"""What is asked in each usage: readings, targets, predictions, scores, and the answer that needs no encoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from firth.errors import DataError
from firth.tasks.examples.files import Examples
from firth.tasks.usages import classes, entities
from firth.tasks.usages.answering import Answering
from firth.tasks.usages.heads import ClassTargets, Targets
from firth.tasks.usages.measures import Measure
from firth.tasks.usages.reading import Encoder, Floats, Integers, Reading

OFFICIAL_POSITIVE = {"mrpc": "1", "qqp": "1"}
"""The label whose F1 the official scorers of these sets give."""

Example = dict[str, Any]


class Problem(Protocol):
    """One usage on one data set. Sides are lists of examples; predictions are as they are written to JSON."""

    expected: list[Any]
    """Of the dev side."""

    def read(self, encoder: Encoder, examples: Sequence[Example]) -> Reading:
        """The examples as the encoder reads them."""

    def targets(self, reading: Reading, /) -> Targets:
        """What a head learns on the training side's reading."""

    def predict(self, logits: Floats, reading: Reading, /) -> list[Any]:
        """One prediction for each dev example, from the head's outputs (rows, columns)."""

    def baseline(self) -> tuple[list[Any], str]:
        """Predictions for the dev side that ask no encoder, and what they are."""

    def measures(self, predicted: list[Any]) -> dict[str, Measure]:
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
    }
    return kinds[examples.kind](examples)


class Classes:
    """A label for one text or for two."""

    def __init__(self, examples: Examples) -> None:
        self._pairs = examples.kind == "pair"
        self._length = int(examples.manifest["length"])
        self._train = [example["label"] for example in examples.train]
        self._labels = _at_least_two(self._train, examples)
        self._positive = OFFICIAL_POSITIVE.get(examples.manifest["published"])
        self.expected = [example["label"] for example in examples.dev]

    def read(self, encoder: Encoder, examples: Sequence[Example]) -> Reading:
        """One row an example."""
        if self._pairs:
            return encoder.pairs([e["first"] for e in examples], [e["second"] for e in examples], self._length)
        return encoder.texts([e["text"] for e in examples], self._length)

    def targets(self, _reading: Reading, /) -> ClassTargets:
        """The labels' numbers."""
        numbers = np.array([self._labels.index(label) for label in self._train], dtype=np.int64)
        return ClassTargets(len(self._labels), np.arange(len(numbers)), numbers)

    def predict(self, logits: Floats, _reading: Reading, /) -> list[str]:
        """The label of the greatest output."""
        return [self._labels[number] for number in logits.argmax(axis=1)]

    def baseline(self) -> tuple[list[str], str]:
        """The training side's most frequent label."""
        label = _most_frequent(self._train)
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


class Tagging:
    """A tag for each word. One that the encoder does not read gets the outside tag, or else the most frequent one."""

    def __init__(self, examples: Examples) -> None:
        self._length = int(examples.manifest["length"])
        self._train = examples.train
        self._tags = _at_least_two(self._all_tags(), examples)
        self._silent = entities.OUTSIDE if entities.OUTSIDE in self._tags else _most_frequent(self._all_tags())
        self._words = [example["tokens"] for example in examples.dev]
        self.expected = [example["tags"] for example in examples.dev]

    def read(self, encoder: Encoder, examples: Sequence[Example]) -> Reading:
        """One row a word."""
        return encoder.words([example["tokens"] for example in examples], self._length)

    def targets(self, reading: Reading) -> ClassTargets:
        """The tags' numbers, of the words that are read."""
        numbers: Integers = np.array(
            [
                self._tags.index(tag)
                for example, count in zip(self._train, reading.counts, strict=True)
                for tag in example["tags"][:count]
            ],
            dtype=np.int64,
        )
        return ClassTargets(len(self._tags), np.flatnonzero(reading.counts), numbers)

    def predict(self, logits: Floats, reading: Reading) -> list[list[str]]:
        """The tag of the greatest output."""
        best = logits.argmax(axis=1)
        starts = reading.starts
        return [
            [self._tags[tag] for tag in best[start:end]] + [self._silent] * (len(words) - (end - start))
            for words, start, end in zip(self._words, starts[:-1], starts[1:], strict=True)
        ]

    def baseline(self) -> tuple[list[list[str]], str]:
        """Each word's most frequent training tag; for a new word the tag of words that are not read."""
        seen: dict[str, Counter[str]] = {}
        for example in self._train:
            for word, tag in zip(example["tokens"], example["tags"], strict=True):
                seen.setdefault(word, Counter())[tag] += 1
        known = {word: _most_frequent(tags) for word, tags in seen.items()}
        predicted = [[known.get(word, self._silent) for word in sentence] for sentence in self._words]
        return predicted, f"each word's most frequent tag in training, {self._silent} for a new word"

    def measures(self, predicted: list[list[str]]) -> dict[str, Measure]:
        """entity_f1, entity_precision, entity_recall, accuracy."""
        return entities.measures(self.expected, predicted)

    def constant(self, predicted: list[list[str]]) -> bool:
        """One tag for all words."""
        return len({tag for sentence in predicted for tag in sentence}) <= 1

    def reach(self, reading: Reading) -> dict[str, float]:
        """The share of words that are read."""
        return {"words_read": float(reading.counts.sum() / sum(map(len, self._words)))}

    def _all_tags(self) -> list[str]:
        return [tag for example in self._train for tag in example["tags"]]


def _most_frequent(labels: Sequence[str] | Counter[str]) -> str:
    """Of equally frequent ones the first by code point."""
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _at_least_two(labels: Sequence[str], examples: Examples) -> list[str]:
    found = sorted(set(labels))
    if len(found) < 2:
        raise DataError(
            f"the train side has only the label {found[0]!r}: nothing to tell apart", examples.manifest["task"]
        )
    return found
