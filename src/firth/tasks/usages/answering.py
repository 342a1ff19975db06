"""The span usage: the answer to a question, as a stretch of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from firth.errors import DataError
from firth.tasks.examples.files import Examples
from firth.tasks.usages import answers
from firth.tasks.usages.heads import SpanTargets
from firth.tasks.usages.measures import Measure, mean
from firth.tasks.usages.reading import Encoder, Floats, Integers, Reading

LONGEST = 30
"""Most rows (pieces or words) of an answer."""
MOST_FIRST_WORDS = 20
"""The baseline gives this many words at most."""


class Answering:
    """Start and end of the answer among the rows of the context."""

    def __init__(self, examples: Examples) -> None:
        self._task = examples.manifest["task"]
        self._length = int(examples.manifest["length"])
        self._train, self._dev = examples.train, examples.dev
        self.expected = [[answer["text"] for answer in example["answers"]] for example in examples.dev]

    def read(self, encoder: Encoder, examples: Sequence[dict[str, Any]]) -> Reading:
        """One row a piece of the context."""
        return encoder.spans([e["question"] for e in examples], [e["context"] for e in examples], self._length)

    def targets(self, reading: Reading) -> SpanTargets:
        """The rows of the first given answer; an example whose answer is not read is not learned from.

        Raises:
            DataError: that is so of all.
        """
        first, last = self._located(reading, self._train)
        usable = np.flatnonzero(first >= 0)
        if not len(usable):
            raise DataError(f"no answer of the train side is within the length of {self._length}", self._task)
        return SpanTargets(usable, first, last)

    def predict(self, logits: Floats, reading: Reading) -> list[str]:
        """The characters of the best span, cut out of the context as it was given; nothing where nothing is read."""
        assert reading.spans is not None
        predicted = []
        starts = reading.starts
        for number, (example, spans) in enumerate(zip(self._dev, reading.spans, strict=True)):
            rows = logits[starts[number] : starts[number + 1]]
            if not len(rows):
                predicted.append("")
                continue
            first, last = best_span(rows[:, 0], rows[:, 1])
            predicted.append(example["context"][spans[first, 0] : spans[last, 1]])
        return predicted

    def baseline(self) -> tuple[list[str], str]:
        """The first words of the context, as many as score best on the training side."""
        best = max(
            range(1, MOST_FIRST_WORDS + 1),
            key=lambda count: (
                sum(
                    answers.f1(_beginning(e["context"], count), [a["text"] for a in e["answers"]]) for e in self._train
                ),
                -count,
            ),
        )
        what = "the first word of the text" if best == 1 else f"the first {best} words of the text"
        return [_beginning(example["context"], best) for example in self._dev], what

    def measures(self, predicted: list[str]) -> dict[str, Measure]:
        """f1 and exact, means over questions."""
        both = list(zip(predicted, self.expected, strict=True))
        return {
            "f1": mean([answers.f1(guess, gold) for guess, gold in both]),
            "exact": mean([answers.exact(guess, gold) for guess, gold in both]),
        }

    def constant(self, predicted: list[str]) -> bool:
        """One answer to all questions."""
        return len(set(predicted)) == 1

    def reach(self, reading: Reading) -> dict[str, float]:
        """The share of answers that lie in what is read."""
        return {"answers_read": float((self._located(reading, self._dev)[0] >= 0).mean())}

    def _located(self, reading: Reading, examples: Sequence[dict[str, Any]]) -> tuple[Integers, Integers]:
        """First and last row (examples,) of each example's first answer, -1 where it is not wholly read."""
        assert reading.spans is not None
        first = np.full(len(examples), -1, dtype=np.int64)
        last = first.copy()
        for number, (example, spans) in enumerate(zip(examples, reading.spans, strict=True)):
            answer = example["answers"][0]
            start, end = answer["start"], answer["start"] + len(answer["text"].rstrip())
            touched = np.flatnonzero((spans[:, 0] < end) & (spans[:, 1] > start))
            if len(touched) and (touched[-1] + 1 < len(spans) or spans[-1, 1] >= end):
                first[number], last[number] = touched[0], touched[-1]
        return first, last


def best_span(starts: Floats, ends: Floats) -> tuple[int, int]:
    """First and last row of the greatest sum of scores (rows,) with first <= last, at most `LONGEST` rows."""
    sums = starts[:, None] + ends[None, :]
    valid = np.tri(len(starts), dtype=bool).T & np.tri(len(starts), k=LONGEST - 1, dtype=bool)
    best = int(np.where(valid, sums, -np.inf).argmax())
    return best // len(starts), best % len(starts)


def _beginning(context: str, count: int) -> str:
    return " ".join(context.split()[:count])
