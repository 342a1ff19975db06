"""The choice usage: which of several endings goes on from a context (section 4.4 of the paper, SWAG)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from firth.tasks.encoders.reading import Encoder, Floats, Reading
from firth.tasks.examples.files import Examples
from firth.tasks.learning.heads import ChoiceTargets
from firth.tasks.measures.measures import Measure, mean
from firth.tasks.usages.usage import Choice

Example = dict[str, Any]


class Choices:
    """One of each example's endings. A head gives each ending one score; the greatest is the answer."""

    def __init__(self, examples: Examples) -> None:
        self.usage = Choice(int(examples.manifest["length"]))
        self._train, self._dev = examples.train, examples.dev
        self.expected = [int(example["label"]) for example in examples.dev]

    def read(self, encoder: Encoder, examples: Sequence[Example]) -> Reading:
        """One row an ending."""
        return self.usage.read(encoder, examples)

    def targets(self, _reading: Reading, /) -> ChoiceTargets:
        """The number of the right ending."""
        right = np.array([example["label"] for example in self._train], dtype=np.int64)
        return ChoiceTargets(np.arange(len(right)), right)

    def predict(self, logits: Floats, reading: Reading, /) -> list[int]:
        """The number of the ending with the greatest output; of equals the first."""
        return self.usage.predicted(logits, reading, self._dev)

    def baseline(self) -> tuple[list[int], str]:
        """What is right most often on the training side: one place, the longest ending or the shortest."""
        place = _most_frequent([example["label"] for example in self._train])
        guesses: dict[str, Callable[[Example], int]] = {
            f"always ending {place}, the most frequent right one": lambda e: min(place, len(e["endings"]) - 1),
            "the longest ending": lambda e: int(np.argmax([len(ending) for ending in e["endings"]])),
            "the shortest ending": lambda e: int(np.argmin([len(ending) for ending in e["endings"]])),
        }
        what, best = max(guesses.items(), key=lambda item: sum(item[1](e) == e["label"] for e in self._train))
        return [best(example) for example in self._dev], what

    def measures(self, predicted: list[int]) -> dict[str, Measure]:
        """The share of right ones, `accuracy`."""
        pairs = zip(predicted, self.expected, strict=True)
        return {"accuracy": mean([float(guess == gold) for guess, gold in pairs])}

    def constant(self, predicted: list[int]) -> bool:
        """The same place for all."""
        return len(set(predicted)) == 1

    def reach(self, _reading: Reading, /) -> dict[str, float]:
        """Every ending is read, as far as the length goes."""
        return {}


def _most_frequent(places: Sequence[int]) -> int:
    """Of equally frequent ones the first."""
    counts = Counter(places)
    return min(counts, key=lambda place: (-counts[place], place))
