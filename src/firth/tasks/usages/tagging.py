"""The tagging usage: a tag for each word of a sentence that was cut into words before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from firth.tasks.encoders.reading import Encoder, Floats, Integers, Reading
from firth.tasks.examples.files import Examples
from firth.tasks.learning.heads import ClassTargets
from firth.tasks.measures import entities
from firth.tasks.measures.measures import Measure
from firth.tasks.usages.labels import at_least_two, most_frequent
from firth.tasks.usages.usage import Tags, words_read


class Tagging:
    """A tag for each word. One that the encoder does not read gets the outside tag, or else the most frequent one."""

    def __init__(self, examples: Examples) -> None:
        self._train = examples.train
        self._tags = at_least_two(self._all_tags(), examples)
        self._silent = entities.OUTSIDE if entities.OUTSIDE in self._tags else most_frequent(self._all_tags())
        self.usage = Tags(
            self._tags,
            self._silent,
            int(examples.manifest["length"]),
            document_context=bool(examples.manifest.get("document_context")),
            further=examples.manifest.get("pieces") == "x",
        )
        self._dev = examples.dev
        self.expected = [example["tags"] for example in examples.dev]

    def read(self, encoder: Encoder, examples: Sequence[dict[str, Any]]) -> Reading:
        """One row a word, or with label X one a piece."""
        return self.usage.read(encoder, examples)

    def targets(self, reading: Reading) -> ClassTargets:
        """The tags' numbers, of the words that are read; behind the tags that of X, for a word's further pieces."""
        tags: Integers = np.array(
            [
                self._tags.index(tag)
                for example, count in zip(self._train, words_read(reading), strict=True)
                for tag in example["tags"][:count]
            ],
            dtype=np.int64,
        )
        usable = np.flatnonzero(reading.counts)
        if reading.firsts is None:
            return ClassTargets(len(self._tags), usable, tags)
        numbers = np.full(len(reading.firsts), len(self._tags), dtype=np.int64)
        numbers[reading.firsts] = tags
        return ClassTargets(len(self._tags) + 1, usable, numbers)

    def predict(self, logits: Floats, reading: Reading) -> list[list[str]]:
        """The tag of the greatest output at each word's first row; X is never one."""
        return self.usage.predicted(logits, reading, self._dev)

    def baseline(self) -> tuple[list[list[str]], str]:
        """Each word's most frequent training tag; for a new word the tag of words that are not read."""
        seen: dict[str, Counter[str]] = {}
        for example in self._train:
            for word, tag in zip(example["tokens"], example["tags"], strict=True):
                seen.setdefault(word, Counter())[tag] += 1
        known = {word: most_frequent(tags) for word, tags in seen.items()}
        predicted = [[known.get(word, self._silent) for word in example["tokens"]] for example in self._dev]
        return predicted, f"each word's most frequent tag in training, {self._silent} for a new word"

    def measures(self, predicted: list[list[str]]) -> dict[str, Measure]:
        """entity_f1, entity_precision, entity_recall, accuracy."""
        return entities.measures(self.expected, predicted)

    def constant(self, predicted: list[list[str]]) -> bool:
        """One tag for all words."""
        return len({tag for sentence in predicted for tag in sentence}) <= 1

    def reach(self, reading: Reading) -> dict[str, float]:
        """The share of words that are read."""
        return {"words_read": float(words_read(reading).sum() / sum(map(len, self.expected)))}

    def _all_tags(self) -> list[str]:
        return [tag for example in self._train for tag in example["tags"]]
