"""Records with their answers as files: JSON Lines, CSV, TSV, Parquet; complete or not there at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from firth.canonical import whole_file
from firth.errors import DataError, FirthError
from firth.tasks.batch.reading import Row, Table

ENDINGS = (".jsonl", ".csv", ".tsv", ".parquet")


class Writer(Protocol):
    """Takes blocks of rows with their answers."""

    def write(self, rows: Sequence[Row], answers: Sequence[Mapping[str, Any]]) -> None:
        """Append a block, which is not empty."""

    def close(self) -> None:
        """End the file; one without rows still has its header or schema."""


def check_ending(path: Path) -> None:
    """`FirthError` where the name says no format."""
    if path.suffix.lower() not in ENDINGS:
        raise FirthError(
            f"{path}: the ending says what is written: {', '.join(ENDINGS)}; SQuAD's .json, and columns "
            "(.txt, .conll), where such are read: their ending, or --format squad or conll, says so"
        )


def may_differ(path: Path) -> bool:
    """Whether records of the file may have other fields than its first one."""
    return path.suffix.lower() == ".jsonl"


@contextmanager
def writing(path: Path, table: Table, columns: Mapping[str, pa.DataType]) -> Iterator[Writer]:
    """A writer for the records of `table` and answers of `columns`; `path` appears when the block ends well.

    All records must have the first one's fields, but where they `may_differ`.

    Raises:
        FirthError: it cannot be written.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        with _whole(path) as part:
            writer: Writer = _Parquet(part, table, columns)
            yield writer
            writer.close()
        return
    with writing_text(path) as stream:
        writer = _Lines(stream) if ending == ".jsonl" else _Cells(stream, ending, table, columns)
        yield writer
        writer.close()


@contextmanager
def writing_text(path: Path) -> Iterator[TextIO]:
    """A stream of UTF-8 text; `path` appears when the block ends well.

    Raises:
        FirthError: it cannot be written.
    """
    with _whole(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        yield stream


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    try:
        with whole_file(path) as part:
            yield part
    except OSError as error:
        raise FirthError(f"{path}: cannot be written ({error.strerror or error})") from error


class _Lines:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, rows: Sequence[Row], answers: Sequence[Mapping[str, Any]]) -> None:
        for row, answer in zip(rows, answers, strict=True):
            self._stream.write(json.dumps({**row.values, **answer}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Nothing is open."""


class _Cells:
    """CSV and TSV: the fields of the first record, then the answers. A list or an object is a cell of JSON."""

    def __init__(self, stream: TextIO, ending: str, table: Table, columns: Mapping[str, pa.DataType]) -> None:
        delimiter = "\t" if ending == ".tsv" else ","
        self._plain = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        # A lone carriage return ends a line for readers, and Python's writer of 3.11 puts it into no quotation.
        self._quoted = csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._table, self._columns = table, columns
        self._fields: list[str] | None = None

    def write(self, rows: Sequence[Row], answers: Sequence[Mapping[str, Any]]) -> None:
        if self._fields is None:
            self._begin(list(rows[0].values))
        for row, answer in zip(rows, answers, strict=True):
            cells = [*(row.values[field] for field in self._fields or []), *(answer[name] for name in self._columns)]
            self._row([_cell(value) for value in cells])

    def close(self) -> None:
        if self._fields is None:
            self._begin(self._table.header or [])

    def _begin(self, fields: list[str]) -> None:
        self._fields = fields
        self._row([*fields, *self._columns])

    def _row(self, cells: list[Any]) -> None:
        returns = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (self._quoted if returns else self._plain).writerow(cells)


class _Parquet:
    """A row group a block, compressed with zstd. What the fields hold is seen from the first block."""

    def __init__(self, path: Path, table: Table, columns: Mapping[str, pa.DataType]) -> None:
        self._path, self._table, self._columns = path, table, columns
        self._writer: pq.ParquetWriter | None = None
        self._fields: list[pa.Field] = []

    def write(self, rows: Sequence[Row], answers: Sequence[Mapping[str, Any]]) -> None:
        if self._writer is None:
            self._fields = [_field(name, [row.values.get(name) for row in rows]) for name in rows[0].values]
        writer = self._begun()
        arrays = [self._array(field, rows) for field in self._fields]
        arrays += [pa.array([answer[name] for answer in answers], kind) for name, kind in self._columns.items()]
        writer.write_table(pa.Table.from_arrays(arrays, schema=writer.schema))

    def close(self) -> None:
        if self._writer is None:
            self._fields = [pa.field(name, pa.string()) for name in self._table.header or []]
        self._begun().close()

    def _begun(self) -> pq.ParquetWriter:
        if self._writer is None:
            schema = pa.schema([*self._fields, *(pa.field(name, kind) for name, kind in self._columns.items())])
            self._writer = pq.ParquetWriter(self._path, schema, compression="zstd")
        return self._writer

    def _array(self, field: pa.Field, rows: Sequence[Row]) -> pa.Array:
        try:
            return pa.array([row.values[field.name] for row in rows], field.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise DataError(
                f"field {field.name!r} is {field.type} at the beginning of the file, and not in one of the "
                f"{len(rows)} records from here on ({error}); write .jsonl, where fields may differ",
                self._table.where,
                rows[0].line,
            ) from None


def _field(name: str, values: list[Any]) -> pa.Field:
    try:
        kind = pa.array(values).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise DataError(f"field {name!r} holds values of several kinds ({error}); write .jsonl") from None
    return pa.field(name, pa.string() if pa.types.is_null(kind) else kind)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else value
