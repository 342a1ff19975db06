"""What is asked of a model, record by record: a kept model's own task, fillings, vectors, neighbours."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from firth.bert.folder import Bert
from firth.encode import use
from firth.errors import DataError, FirthError
from firth.records import kind_of, no_field, tidy
from firth.tasks.batch.unread import ROWS, Units, Unread, having
from firth.tasks.kept import predicting
from firth.tasks.kept.folder import Kept
from firth.vectors.unknown import UnknownWordError
from firth.vectors.vectors import Vectors

FILLINGS, NEIGHBOURS = 5, 10
"""How many answers there are where nothing is said."""

TEXT, WHOLE, NUMBER = pa.string(), pa.int64(), pa.float64()
TEXTS, NUMBERS, VECTOR = pa.list_(pa.string()), pa.list_(pa.float64()), pa.list_(pa.float32())


class Predictor(Protocol):
    """Something that can be asked about records."""

    @property
    def title(self) -> str:
        """What it does, on the progress line."""

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """The names of an answer's parts, with their Arrow types."""

    @property
    def fields(self) -> Sequence[str]:
        """What a record must have; of a .txt file's lines, which are one text each, it may be one."""

    def record(self, values: Mapping[str, Any], where: str, line: int) -> Any:
        """What is read of a record; `DataError` with the line where it cannot be used."""

    def answers(self, records: Sequence[Any]) -> list[dict[str, Any]]:
        """One answer a record, in order; None where there was nothing to read."""

    def notes(self) -> list[str]:
        """What a reader should know about the answers so far."""


class Task:
    """A kept model of a task, or several (`beside`) that answer together. `best` above 0: the next best, too."""

    def __init__(self, kept: Kept, best: int | None = None, beside: Sequence[Kept] = ()) -> None:
        if best is not None and not kept.usage.ranked:
            raise FirthError(f"--best {best}: a {kept.kind} model gives one answer; leave it out")
        self.title = "predict"
        self.fields = kept.usage.fields
        self.kind = kept.kind
        self.units: Units = ROWS
        self.usages = [one.usage for one in (kept, *beside)]
        self._kept, self._best, self._beside = kept, best or 0, beside
        self._blank = 0
        self._unread = Unread()
        prediction: Mapping[str, pa.DataType] = {
            "text": {"prediction": TEXT, "probability": NUMBER},
            "pair": {"prediction": TEXT, "probability": NUMBER},
            "choice": {"prediction": WHOLE, "probability": NUMBER},
            "number": {"prediction": NUMBER},
            "tagging": {"prediction": TEXTS},
            "span": {"prediction": TEXT, "start": WHOLE, "end": WHOLE, "score": NUMBER},
        }[kept.kind]
        ranked = {"best": pa.list_(pa.struct(list(prediction.items())))}
        self.columns = {**prediction, **(ranked if self._best else {})}

    def record(self, values: Mapping[str, Any], where: str, line: int) -> dict[str, Any]:
        """The fields that the task reads."""
        return predicting.record(self._kept, values, where, line)

    def answers(self, records: Sequence[dict[str, Any]], blank: bool = False) -> list[dict[str, Any]]:
        """See `firth.tasks.kept.predicting`."""
        with self._unread.block() as seen:
            found = predicting.predict(self._kept, records, self._best, self._beside, seen, blank)
        self._blank += sum(answer == self._kept.usage.nothing for answer in found)
        return [{name: answer.get(name) for name in self.columns} for answer in found]

    def notes(self) -> list[str]:
        """How many of its `units` had no text, or more than is read."""
        blank = [f"{having(self._blank, self.units)} no text, and so no answer"] if self._blank else []
        return [*blank, *self._unread.notes(self.units)]


class _OfBert:
    def __init__(self, bert: Bert) -> None:
        self.fields = ("text",)
        self._bert = bert
        self._length = bert.model.architecture.positions
        self._cut = 0

    def record(self, values: Mapping[str, Any], where: str, line: int) -> str:
        """The text."""
        return _text(values, "text", where, line)

    def notes(self) -> list[str]:
        """How many texts were cut."""
        what = "1 text has" if self._cut == 1 else f"{self._cut} texts have"
        return [f"{what} more than {self._length} tokens: what is behind them was not read"] if self._cut else []


class Fill(_OfBert):
    """What could stand at each [MASK]: for each, `best` pieces, with their probabilities."""

    columns: Mapping[str, pa.DataType] = {"fillings": pa.list_(TEXTS), "probabilities": pa.list_(NUMBERS)}
    title = "fill"

    def __init__(self, bert: Bert, best: int | None = None) -> None:
        super().__init__(bert)
        self._best = best or FILLINGS

    def record(self, values: Mapping[str, Any], where: str, line: int) -> str:
        """A text with [MASK] in it, within the model's length."""
        text = super().record(values, where, line)
        tokenizer = self._bert.tokenizer
        read = tokenizer.encode(text, length=sys.maxsize, mask_token=True).ids
        if text.strip() and tokenizer.mask not in read[: self._length - 1]:
            raise DataError(f"no [MASK] in the first {self._length} tokens: there is nothing to fill", where, line)
        return text

    def answers(self, records: Sequence[str]) -> list[dict[str, Any]]:
        """A list for each [MASK]."""
        filled = [number for number, text in enumerate(records) if text.strip()]
        answers: list[dict[str, Any]] = [{"fillings": None, "probabilities": None} for _ in records]
        self._cut += sum(use.is_cut(self._bert, text, self._length, mask_token=True) for text in records)
        found = use.fill(self._bert, [records[number] for number in filled], self._best)
        for number, masks in zip(filled, found, strict=True):
            answers[number] = {
                "fillings": [[piece for piece, _ in mask] for mask in masks],
                "probabilities": [[round(share, 6) for _, share in mask] for mask in masks],
            }
        return answers


class Encode(_OfBert):
    """The mean of a text's tokens, last layer."""

    columns: Mapping[str, pa.DataType] = {"vector": VECTOR}
    title = "encode"

    def answers(self, records: Sequence[str]) -> list[dict[str, Any]]:
        """One vector a text."""
        self._cut += sum(use.is_cut(self._bert, text, self._length) for text in records)
        return [{"vector": _plain(vector)} for vector in use.encode(self._bert, records, length=self._length)]


class _OfWords:
    def __init__(self, vectors: Vectors) -> None:
        self.fields = ("word",)
        self._vectors = vectors
        self._unknown = 0

    def record(self, values: Mapping[str, Any], where: str, line: int) -> str:
        """The word, or a phrase."""
        return _text(values, "word", where, line).strip()

    def notes(self) -> list[str]:
        """How many words have no vector."""
        return [f"{self._unknown} not in the vocabulary, without an answer"] if self._unknown else []

    def _vector(self, word: str) -> Any:
        """None where the word has none."""
        if self._vectors.ngrams is None and word not in self._vectors:
            self._unknown += 1
            return None
        try:
            return self._vectors[word]
        except UnknownWordError:
            self._unknown += 1
            return None


class Neighbours(_OfWords):
    """The nearest words by cosine, `best` of them."""

    columns: Mapping[str, pa.DataType] = {"neighbours": TEXTS, "similarities": NUMBERS}
    title = "neighbours"

    def __init__(self, vectors: Vectors, best: int | None = None) -> None:
        super().__init__(vectors)
        self._best = best or NEIGHBOURS

    def answers(self, records: Sequence[str]) -> list[dict[str, Any]]:
        """Words and cosines, nearest first."""
        known = [number for number, word in enumerate(records) if self._vector(word) is not None]
        answers: list[dict[str, Any]] = [{"neighbours": None, "similarities": None} for _ in records]
        found = self._vectors.neighbours([records[number] for number in known], self._best)
        for number, near in zip(known, found, strict=True):
            answers[number] = {
                "neighbours": [word for word, _ in near],
                "similarities": [round(cosine, 6) for _, cosine in near],
            }
        return answers


class WordVectors(_OfWords):
    """The words' vectors."""

    columns: Mapping[str, pa.DataType] = {"vector": VECTOR}
    title = "encode"

    def answers(self, records: Sequence[str]) -> list[dict[str, Any]]:
        """One vector a word."""
        found = [self._vector(word) for word in records]
        return [{"vector": None if vector is None else _plain(vector)} for vector in found]


def _text(values: Mapping[str, Any], field: str, where: str, line: int) -> str:
    if field not in values:
        raise DataError(no_field(field, list(values)), where, line)
    value = values[field]
    if value is not None and not isinstance(value, str):
        raise DataError(f"field {field!r} holds {kind_of(value)}, not text", where, line)
    return tidy(value or "")


def _plain(vector: Any) -> list[float]:
    """With the 9 digits that give the same float32 back."""
    return [float(f"{number:.9g}") for number in vector.tolist()]
