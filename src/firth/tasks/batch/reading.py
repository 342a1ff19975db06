"""The records of a file with all their fields: lines of text, CSV, TSV, JSON Lines; plain or packed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from firth.errors import DataError, FirthError
from firth.packing import ENDINGS as PACKED
from firth.packing import ByteCount, local, text_lines, unpacked, unpacked_name
from firth.records import csv_rows, json_objects, tidy
from firth.tasks.examples.tables import tsv_rows

LINES = ".txt"
ENDINGS = (LINES, ".csv", ".tsv", ".jsonl")


class Row(NamedTuple):
    """A record, and the line that it begins at."""

    line: int
    values: dict[str, Any]


def ending_of(path: Path) -> str:
    """What the file is, by its name; `FirthError` where that is none of `ENDINGS`, packed or not."""
    ending = PurePosixPath(unpacked_name(path.name)).suffix.lower()
    if ending not in ENDINGS:
        raise FirthError(
            f"{path}: the ending says what is read: {', '.join(ENDINGS)}, packed ({', '.join(PACKED)}) or not; for "
            "SQuAD's JSON or CoNLL's columns say --format squad or conll"
        )
    return ending


class Table:
    """A file of records. `header` is known of CSV and TSV once reading has begun, else None."""

    def __init__(self, path: Path, line_field: str) -> None:
        """`line_field` is the name of a line's text in a .txt file.

        Raises:
            DataError: there is no such file.
        """
        self.ending = ending_of(path)
        self.source = local(path)
        self.where = self.source.where
        self.header: list[str] | None = None
        self._line_field = line_field

    def rows(self) -> Iterator[Row]:
        """The records in order. Lines of a .txt file are records even where they are blank.

        Raises:
            DataError: what is not valid, with its line.
        """
        with unpacked(self.source, ByteCount()) as stream:
            if self.ending == LINES:
                for line, text in text_lines(stream, self.where):
                    yield Row(line, {self._line_field: text.removesuffix("\n")})
            elif self.ending == ".jsonl":
                for line, record in json_objects(stream, self.where):
                    yield Row(line, {tidy(key): _tidied(value) for key, value in record.items()})
            else:
                yield from self._table_rows(stream)

    def _table_rows(self, stream: io.BufferedReader[Any]) -> Iterator[Row]:
        records = csv_rows(stream, self.where) if self.ending == ".csv" else tsv_rows(stream, self.where)
        started, header = next(records, (1, None))
        if header is None:
            return
        if twice := [name for name in header if header.count(name) > 1]:
            raise DataError(f"the header names {twice[0]!r} {header.count(twice[0])} times", self.where, started)
        self.header = header
        for line, fields in records:
            yield Row(line, dict(zip(header, fields, strict=True)))


def _tidied(value: Any) -> Any:
    """`value` without lone surrogates, which JSON can escape and no file of text can hold."""
    if isinstance(value, str):
        return tidy(value)
    if isinstance(value, list):
        return [_tidied(one) for one in value]
    if isinstance(value, dict):
        return {tidy(key): _tidied(one) for key, one in value.items()}
    return value
