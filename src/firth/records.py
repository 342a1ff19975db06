"""Records out of CSV and JSON Lines, and what is said about one that cannot be used."""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from firth.errors import DataError
from firth.packing import text_lines

EXAMPLE_CHARACTERS = 120
_LONGEST_FIELD = 2**31 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")


def csv_rows(stream: io.BufferedReader[Any], where: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """`(line it starts at, fields)` of each record, the header first; every record has as many fields as the header.

    Raises:
        DataError: a record of another width, an unclosed quotation, or bytes that are not UTF-8, with the line.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader((line for _, line in text_lines(stream, where)), delimiter=delimiter, strict=True)
    started, width = 1, None
    try:
        for row in reader:
            if row:
                if width is None:
                    width = len(row)
                elif len(row) != width:
                    raise DataError(f"{len(row)} fields, but the header names {width}", where, started)
                yield started, row
            started = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"not valid CSV: {error} (in the record that starts here)", where, started) from None


def json_objects(
    stream: io.BufferedReader[Any], where: str, number: type[str] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """`(line, object)` of each line that is not blank.

    With `number`, numbers are not converted but given as that kind of text, with the digits of the file.

    Raises:
        DataError: a line that is not one JSON object, or bytes that are not UTF-8.
    """
    for line, text in text_lines(stream, where):
        if not text.strip():
            continue
        try:
            record = json.loads(text, parse_int=number, parse_float=number)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise DataError(f"not valid JSON: {reason}", where, line) from None
        if not isinstance(record, dict):
            raise DataError(f"expected a JSON object, found {kind_of(record)}", where, line)
        yield line, record


def no_field(field: str, names: Sequence[str]) -> str:
    """That there is no such field, which there are, and the likeliest of them."""
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    close = difflib.get_close_matches(field, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"no field {field!r}; there are: {shown or 'none'}{hint}"


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def tidy(text: str) -> str:
    """`text` with characters that no UTF-8 file can hold (lone surrogates) as U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def shortened(text: str) -> str:
    """The first `EXAMPLE_CHARACTERS` of `text` on one line, without control characters."""
    # The cut comes first: an example may come from a document of many megabytes.
    line = " ".join(text[: 4 * EXAMPLE_CHARACTERS].split())
    line = "".join(character if character.isprintable() else "\ufffd" for character in line)
    return line if len(line) <= EXAMPLE_CHARACTERS else line[: EXAMPLE_CHARACTERS - 1] + "…"
