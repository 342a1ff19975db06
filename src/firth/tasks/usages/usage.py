"""Each usage without its data: how records are read, and what the outputs of a trained head say about them.

What is learned, scored and guessed without an encoder is in `firth.tasks.usages.problems`; a kept model needs this.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from firth.config.tasks import LONGEST_ANSWER
from firth.tasks.encoders.reading import Around, Encoder, Floats, Integers, Reading, Windows
from firth.tasks.encoders.windows import Scores, best_spans

DIGITS = 6
"""Decimals of what is said: the last bits of a float depend on the matrix library."""

Record = Mapping[str, Any]
Answer = dict[str, Any]


class Usage(Protocol):
    """One usage: a dataclass of plain JSON values, which are what a kept model must remember of it."""

    fields: ClassVar[tuple[str, ...]]
    """What each record must have: texts, but for `tokens` and `endings`, lists of texts."""
    nothing: ClassVar[Answer]
    """What is said of a record without text."""
    ranked: ClassVar[bool]
    """Whether there are next best answers."""

    @property
    def columns(self) -> int:
        """Outputs of the head for each row."""

    def read(self, encoder: Encoder, records: Sequence[Record], /) -> Reading:
        """The records as the encoder reads them."""

    def predicted(self, logits: Floats, reading: Reading, records: Sequence[Record], /) -> list[Any]:
        """One prediction a record, from the head's outputs (rows, columns)."""

    def answers(self, logits: Floats, reading: Reading, records: Sequence[Record], /, best: int) -> list[Answer]:
        """The same with all that is known of them, by name; with `best` above 0 the next best ones under `best`."""


@dataclass(frozen=True)
class TextLabels:
    """A label for one text: that of the greatest output, its probability by a softmax."""

    labels: Sequence[str]
    length: int

    fields: ClassVar[tuple[str, ...]] = ("text",)
    nothing: ClassVar[Answer] = {"prediction": None, "probability": None}
    ranked: ClassVar[bool] = True

    @property
    def columns(self) -> int:
        """Outputs of the head for each row."""
        return len(self.labels)

    def read(self, encoder: Encoder, records: Sequence[Record], /) -> Reading:
        """One row a text."""
        return encoder.texts([record["text"] for record in records], self.length)

    def predicted(self, logits: Floats, _reading: Reading, _records: Sequence[Record], /) -> list[str]:
        """The label of the greatest output."""
        return [self.labels[number] for number in logits.argmax(axis=1)]

    def answers(self, logits: Floats, _reading: Reading, _records: Sequence[Record], /, best: int) -> list[Answer]:
        """`prediction`, `probability`."""
        return [_ranked(row, self.labels, best) for row in logits]


@dataclass(frozen=True)
class PairLabels(TextLabels):
    """A label for two texts."""

    fields: ClassVar[tuple[str, ...]] = ("first", "second")

    def read(self, encoder: Encoder, records: Sequence[Record], /) -> Reading:
        """One row a pair."""
        return _pairs(encoder, records, self.length)


@dataclass(frozen=True)
class Number:
    """A number for two texts: the output, which was learned with mean 0 and deviation 1, in the numbers' own measure.

    It is not cut to a range: that would only add ties.
    """

    mean: float
    deviation: float
    length: int

    fields: ClassVar[tuple[str, ...]] = ("first", "second")
    nothing: ClassVar[Answer] = {"prediction": None}
    ranked: ClassVar[bool] = False

    @property
    def columns(self) -> int:
        """Outputs of the head for each row."""
        return 1

    def read(self, encoder: Encoder, records: Sequence[Record], /) -> Reading:
        """One row a pair."""
        return _pairs(encoder, records, self.length)

    def predicted(self, logits: Floats, _reading: Reading, _records: Sequence[Record], /) -> list[float]:
        """Numbers with `DIGITS` decimals."""
        numbers = logits[:, 0].astype(np.float64) * self.deviation + self.mean
        return [_rounded(number) for number in numbers]

    def answers(self, logits: Floats, reading: Reading, records: Sequence[Record], /, best: int) -> list[Answer]:
        """`prediction`."""
        del best  # there is one number
        return [{"prediction": number} for number in self.predicted(logits, reading, records)]


@dataclass(frozen=True)
class Choice:
    """Which of a record's endings goes on from its context: that of the greatest output, of equals the first."""

    length: int

    fields: ClassVar[tuple[str, ...]] = ("context", "endings")
    nothing: ClassVar[Answer] = {"prediction": None, "probability": None}
    ranked: ClassVar[bool] = True

    @property
    def columns(self) -> int:
        """Outputs of the head for each row."""
        return 1

    def read(self, encoder: Encoder, records: Sequence[Record], /) -> Reading:
        """One row an ending."""
        return encoder.choices([r["context"] for r in records], [r["endings"] for r in records], self.length)

    def predicted(self, logits: Floats, reading: Reading, _records: Sequence[Record], /) -> list[int]:
        """The ending's number, from 0."""
        return [int(logits[start:end, 0].argmax()) for start, end in itertools.pairwise(reading.starts)]

    def answers(self, logits: Floats, reading: Reading, _records: Sequence[Record], /, best: int) -> list[Answer]:
        """`prediction`, `probability`."""
        rows = [logits[start:end, 0] for start, end in itertools.pairwise(reading.starts)]
        return [_ranked(row, range(len(row)), best) for row in rows]


@dataclass(frozen=True)
class Tags:
    """A tag for each word. One that the encoder does not read gets the tag `silent`.

    With `document_context` words around a sentence are read too, with `further` a word's other pieces give outputs,
    and one column more, X.
    """

    labels: Sequence[str]
    silent: str
    length: int
    document_context: bool = False
    further: bool = False

    fields: ClassVar[tuple[str, ...]] = ("tokens",)
    nothing: ClassVar[Answer] = {"prediction": []}
    ranked: ClassVar[bool] = False

    @property
    def columns(self) -> int:
        """Outputs of the head for each row."""
        return len(self.labels) + self.further

    def read(self, encoder: Encoder, records: Sequence[Record], /) -> Reading:
        """One row a word, or with `further` one a piece."""
        around = None
        if self.document_context:
            around = [Around(record.get("before") or (), record.get("after") or ()) for record in records]
        return encoder.words([record["tokens"] for record in records], self.length, around, self.further)

    def predicted(self, logits: Floats, reading: Reading, records: Sequence[Record], /) -> list[list[str]]:
        """The tag of the greatest output at each word's first row; X is never one."""
        best = (logits if reading.firsts is None else logits[reading.firsts])[:, : len(self.labels)].argmax(axis=1)
        ends = np.cumsum(words_read(reading))
        return [
            [self.labels[tag] for tag in best[start:end]] + [self.silent] * (len(record["tokens"]) - (end - start))
            for record, start, end in zip(records, [0, *ends[:-1]], ends, strict=True)
        ]

    def answers(self, logits: Floats, reading: Reading, records: Sequence[Record], /, best: int) -> list[Answer]:
        """`prediction`, a list."""
        del best  # one tag a word
        return [{"prediction": tags} for tags in self.predicted(logits, reading, records)]


@dataclass(frozen=True)
class Span:
    """The answer to a question, as a stretch of a text. A head gives each of its pieces a score as start and as end."""

    length: int
    doc_stride: int | None = None
    query_length: int | None = None

    fields: ClassVar[tuple[str, ...]] = ("context", "question")
    nothing: ClassVar[Answer] = {"prediction": None, "start": None, "end": None, "score": None}
    ranked: ClassVar[bool] = True

    @property
    def columns(self) -> int:
        """Outputs of the head for each row."""
        return 2

    def read(self, encoder: Encoder, records: Sequence[Record], /) -> Reading:
        """One row a piece of the context; of a long one, with windows, each in its turn."""
        windows = None
        if self.doc_stride is not None and self.query_length is not None:
            windows = Windows(self.doc_stride, self.query_length)
        questions, contexts = [r["question"] for r in records], [r["context"] for r in records]
        return encoder.spans(questions, contexts, self.length, windows)

    def predicted(self, logits: Floats, reading: Reading, records: Sequence[Record], /) -> list[str]:
        """The characters of the best span, cut out of the context as it was given; nothing where nothing is read."""
        return [found[0]["prediction"] for found in self._found(logits, reading, records, 1)]

    def answers(self, logits: Floats, reading: Reading, records: Sequence[Record], /, best: int) -> list[Answer]:
        """`prediction`, `start` and `end` (characters of the context, `end` behind the last), `score` (sum of both)."""
        found = self._found(logits, reading, records, max(1, best))
        return [one[0] | ({"best": one} if best else {}) for one in found]

    @staticmethod
    def _found(logits: Floats, reading: Reading, records: Sequence[Record], count: int) -> Iterator[list[Answer]]:
        for record, (spans, scores) in zip(records, scores_of(logits, reading), strict=True):
            found = best_spans(scores, LONGEST_ANSWER, count) if len(spans) else []
            places = [(int(spans[one.first, 0]), int(spans[one.last, 1]), one.score) for one in found]
            yield cut_out(record, places)


KINDS: dict[str, type[TextLabels | PairLabels | Number | Choice | Tags | Span]] = {
    "text": TextLabels, "pair": PairLabels, "number": Number, "choice": Choice, "tagging": Tags, "span": Span,
}  # fmt: skip
"""The usages by the kind of task."""


def contexts_of(reading: Reading) -> Iterator[tuple[Integers, list[tuple[int, int]]]]:
    """Of each example the characters (pieces, 2) of its context as far as it is read, and its windows: input, begin."""
    assert reading.spans is not None
    inputs = len(reading.spans)
    owners = np.arange(inputs) if reading.owners is None else reading.owners
    begins = np.zeros(inputs, np.int64) if reading.begins is None else reading.begins
    edges = np.flatnonzero(np.diff(owners, prepend=-1, append=-1))
    for start, end in itertools.pairwise(edges.tolist()):
        spans = np.empty((int(begins[end - 1]) + len(reading.spans[end - 1]), 2), np.int64)
        for number in range(start, end):
            spans[begins[number] : begins[number] + len(reading.spans[number])] = reading.spans[number]
        yield spans, [(number, int(begins[number])) for number in range(start, end)]


def scores_of(logits: Floats, reading: Reading) -> Iterator[tuple[Integers, list[Scores]]]:
    """Of each example the characters (pieces, 2) of its context as far as it is read, and its windows' scores."""
    starts = reading.starts
    for spans, windows in contexts_of(reading):
        rows = [(begin, logits[starts[number] : starts[number + 1]]) for number, begin in windows]
        yield spans, [Scores(begin, row[:, 0], row[:, 1]) for begin, row in rows]


def cut_out(record: Record, places: Sequence[tuple[int, int, float]]) -> list[Answer]:
    """The answers at these places (start, end, score) of the record's context; one of nothing where there are none."""
    return [
        {"prediction": record["context"][start:end], "start": start, "end": end, "score": _rounded(score)}
        for start, end, score in places or [(0, 0, 0.0)]
    ]


def words_read(reading: Reading) -> Integers:
    """How many words (examples,) of each sentence are read."""
    if reading.firsts is None:
        return reading.counts
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(reading.firsts)])
    return np.diff(sums[reading.starts])


def _pairs(encoder: Encoder, records: Sequence[Record], length: int) -> Reading:
    return encoder.pairs([record["first"] for record in records], [record["second"] for record in records], length)


def _ranked(row: Floats, names: Sequence[Any], best: int) -> Answer:
    """The name of the greatest output, of equals the first, and its share of the softmax."""
    shares = np.exp(row.astype(np.float64) - row.max())
    shares /= shares.sum()
    order = np.argsort(-row, kind="stable")[: max(1, best)]
    found = [{"prediction": names[number], "probability": _rounded(shares[number])} for number in order.tolist()]
    return found[0] | ({"best": found} if best else {})


def _rounded(value: float) -> float:
    return round(float(value), DIGITS) + 0.0
