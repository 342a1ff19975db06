"""The span usage: the answer to a question, as a stretch of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from firth.errors import DataError
from firth.tasks.encoders.reading import Encoder, Floats, Integers, Reading
from firth.tasks.examples.files import Examples
from firth.tasks.learning.heads import SpanTargets
from firth.tasks.measures import answers
from firth.tasks.measures.measures import Measure, mean
from firth.tasks.usages.usage import Span, contexts_of

MOST_FIRST_WORDS = 20
"""The baseline gives this many words at most."""


class Answering:
    """Start and end of the answer among the rows of the context."""

    def __init__(self, examples: Examples) -> None:
        self._task = examples.manifest["task"]
        self._length = int(examples.manifest["length"])
        stride = examples.manifest.get("doc_stride")
        windows = () if stride is None else (int(stride), int(examples.manifest["query_length"]))
        self.usage = Span(self._length, *windows)
        self._train, self._dev = examples.train, examples.dev
        self.expected = [[answer["text"] for answer in example["answers"]] for example in examples.dev]

    def read(self, encoder: Encoder, examples: Sequence[dict[str, Any]]) -> Reading:
        """One row a piece of the context; of a long one, with windows, each in its turn."""
        return self.usage.read(encoder, examples)

    def targets(self, reading: Reading) -> SpanTargets:
        """The rows of the first given answer, in each window that holds it whole.

        From other windows nothing is learned, as in the paper's code for SQuAD 1.1: to point at [CLS] there, as it
        does for version 2, would teach that a text may be without an answer.

        Raises:
            DataError: no answer is read whole.
        """
        first, last = _in_windows(reading, *_located(reading, self._train))
        usable = np.flatnonzero(first >= 0)
        if not len(usable):
            raise DataError(f"no answer of the train side is within the length of {self._length}", self._task)
        return SpanTargets(usable, first, last)

    def predict(self, logits: Floats, reading: Reading) -> list[str]:
        """The characters of the best span, cut out of the context as it was given; nothing where nothing is read."""
        return self.usage.predicted(logits, reading, self._dev)

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
        """The share of answers that lie in what is read, whole in one window."""
        first, _ = _in_windows(reading, *_located(reading, self._dev))
        return {"answers_read": reading.owned(np.flatnonzero(first >= 0)) / len(self._dev)}


def _located(reading: Reading, examples: Sequence[dict[str, Any]]) -> tuple[Integers, Integers]:
    """First and last piece (examples,) of each example's first answer in its context, -1 where it is not all read."""
    first = np.full(len(examples), -1, dtype=np.int64)
    last = first.copy()
    for number, (example, (spans, _)) in enumerate(zip(examples, contexts_of(reading), strict=True)):
        answer = example["answers"][0]
        start, end = answer["start"], answer["start"] + len(answer["text"].rstrip())
        touched = np.flatnonzero((spans[:, 0] < end) & (spans[:, 1] > start))
        if len(touched) and (touched[-1] + 1 < len(spans) or spans[-1, 1] >= end):
            first[number], last[number] = touched[0], touched[-1]
    return first, last


def _in_windows(reading: Reading, first: Integers, last: Integers) -> tuple[Integers, Integers]:
    """The same pieces (examples,) as rows (inputs,) of each window, -1 where it does not hold them all."""
    if reading.owners is None or reading.begins is None:
        return first, last
    from_, to = first[reading.owners] - reading.begins, last[reading.owners] - reading.begins
    whole = (first[reading.owners] >= 0) & (from_ >= 0) & (to < reading.counts)
    return np.where(whole, from_, -1), np.where(whole, to, -1)


def _beginning(context: str, count: int) -> str:
    return " ".join(context.split()[:count])
