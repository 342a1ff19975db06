"""The wanted fields of each record of a CSV, TSV or JSON Lines file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

from firth.errors import DataError
from firth.packing import text_lines
from firth.records import csv_rows, json_objects, no_field

Row = dict[str, Any]

PREDICTIONS = ("prediction", "predicted")
"""Fields of files of predictions: what `firth predict` writes, GLUE's submissions, the answers behind a score."""


class Number(str):
    """A number of a JSON file, with its digits as they are written there."""

    __slots__ = ()


def rows(
    stream: io.BufferedReader[Any], where: str, format_: str, fields: Sequence[str], optional: str | None = None
) -> Iterator[tuple[int, Row]]:
    """`(line, {field: value})` of each record: text in CSV and TSV, any JSON value (numbers as `Number`) in JSON Lines.

    Args:
        stream: the unpacked file.
        where: what leads error messages.
        format_: csv, tsv or jsonl.
        fields: what each record must have.
        optional: one more field, which some JSON records may lack (it then is None), but not all.

    Raises:
        DataError: the file has no such field or is damaged, with the line.
    """
    if format_ == "jsonl":
        yield from _json_rows(stream, where, fields, optional)
        return
    lines = csv_rows(stream, where) if format_ == "csv" else tsv_rows(stream, where)
    started, header = next(lines, (1, None))
    if header is None:
        raise DataError("empty file", where)
    wanted = fields if optional is None else [*fields, optional]
    columns = {field: _column(field, header, where, started) for field in wanted}
    for line, row in lines:
        yield line, {field: row[column] for field, column in columns.items()}


def _json_rows(
    stream: io.BufferedReader[Any], where: str, fields: Sequence[str], optional: str | None
) -> Iterator[tuple[int, Row]]:
    lacking: tuple[int, list[str]] | None = None
    for line, record in json_objects(stream, where, Number):
        for field in fields:
            if field not in record:
                raise DataError(_no_field(field, list(record)), where, line)
        row = {field: record[field] for field in fields}
        if optional is not None:
            if optional in record:
                lacking = (0, [])
            elif lacking is None:
                lacking = (line, list(record))
            row[optional] = record.get(optional)
        yield line, row
    if optional is not None and lacking is not None and lacking[0]:
        raise DataError(_no_field(optional, lacking[1]), where, lacking[0])


def tsv_rows(stream: io.BufferedReader[Any], where: str) -> Iterator[tuple[int, list[str]]]:
    """TSV has no quoting of its own: a line is a record. Only a field that is one quotation as a whole is unpacked."""
    width = None
    for line, text in text_lines(stream, where):
        if not text.strip("\r\n"):
            continue
        row = [_unquoted(field) for field in text.rstrip("\r\n").split("\t")]
        if width is None:
            width = len(row)
        elif len(row) != width:
            raise DataError(f"{len(row)} fields between tabs, but the header names {width}", where, line)
        yield line, row


def _unquoted(field: str) -> str:
    inner = field[1:-1]
    whole = len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if whole else field


def _no_field(field: str, names: Sequence[str]) -> str:
    predictions = any(name in names for name in PREDICTIONS)
    return no_field(field, names) + (": a file of predictions? Give one with labelled examples" if predictions else "")


def _column(field: str, header: list[str], where: str, line: int) -> int:
    if field not in header:
        raise DataError(f"{_no_field(field, header)} (the first line names the fields)", where, line)
    if header.count(field) > 1:
        raise DataError(f"the header names {field!r} {header.count(field)} times", where, line)
    return header.index(field)
