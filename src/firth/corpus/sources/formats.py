"""Documents out of one file of plain text, JSON Lines, CSV or Parquet.

Damage to the structure (not JSON, a row of another width, a missing field) is an error that names file and line. A
record without content (`null` where the text would be) is dropped and counted.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from firth.config.corpora import Records
from firth.corpus.drops import Drops
from firth.corpus.sources.documents import Document, Input, tidy
from firth.corpus.sources.mediawiki import read_mediawiki
from firth.corpus.sources.packing import text_lines, unpacked_name
from firth.errors import DataError

NO_TEXT = "no text (null)"
_LONGEST_FIELD = 2**31 - 1
_ROWS = 256
_IN_MEMORY = 16 * 2**20


def read_documents(stream: io.BufferedReader[Any], source: Input, records: Records, drops: Drops) -> Iterator[Document]:
    """Documents of one input in the format that `records` names; raises `DataError` where the structure is damaged."""
    match records.format:
        case "text":
            yield from _read_text(stream, source, records.text_documents)
        case "jsonl":
            yield from _read_jsonl(stream, source, records, drops)
        case "csv":
            yield from _read_csv(stream, source, records)
        case "parquet":
            yield from _read_parquet(stream, source, records, drops)
        case "mediawiki":
            yield from read_mediawiki(stream, source, drops)


def _read_text(stream: io.BufferedReader[Any], source: Input, unit: str) -> Iterator[Document]:
    if unit == "file":
        # An empty file is an empty document: whether a corpus may hold some is for validation to say.
        yield Document("", "".join(line for _, line in text_lines(stream, source.where)), source.name)
        return
    block: list[str] = []
    started = 1
    for number, line in text_lines(stream, source.where):
        if block and (unit == "line" or not line.strip()):
            yield Document("", "".join(block).strip("\n"), f"{source.name}:{started}")
            block.clear()
        if not line.strip():
            continue
        if not block:
            started = number
        block.append(line)
    if block:
        yield Document("", "".join(block).strip("\n"), f"{source.name}:{started}")


def _read_jsonl(stream: io.BufferedReader[Any], source: Input, records: Records, drops: Drops) -> Iterator[Document]:
    titled = records.title_field is None
    number = 0
    for number, line in text_lines(stream, source.where):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise DataError(f"not valid JSON: {reason}", source.where, number) from None
        if not isinstance(record, dict):
            raise DataError(f"expected a JSON object, found {_kind(record)}", source.where, number)
        if records.text_field not in record:
            raise DataError(_no_field(records.text_field, list(record)), source.where, number)
        text = record[records.text_field]
        locator = f"{source.name}:{number}"
        if text is None:
            drops.add(NO_TEXT, locator)
            continue
        if not isinstance(text, str):
            raise DataError(f"field {records.text_field!r} holds {_kind(text)}, not text", source.where, number)
        title = record.get(records.title_field) if records.title_field is not None else None
        titled = titled or records.title_field in record
        yield Document(_title(title), tidy(text), locator)
    if not titled and number:
        raise DataError(f"no record has the title field {records.title_field!r}", source.where)


def _read_csv(stream: io.BufferedReader[Any], source: Input, records: Records) -> Iterator[Document]:
    delimiter = "\t" if unpacked_name(source.name).lower().endswith(".tsv") else ","
    csv.field_size_limit(_LONGEST_FIELD)
    lines = (line for _, line in text_lines(stream, source.where))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    started = 1
    try:
        header = next(reader, None)
        if header is None:
            return
        text_column = _column(header, records.text_field, source.where)
        title_column = None if records.title_field is None else _column(header, records.title_field, source.where)
        started = reader.line_num + 1
        for row in reader:
            if row:
                if len(row) != len(header):
                    raise DataError(f"{len(row)} fields, but the header names {len(header)}", source.where, started)
                title = "" if title_column is None else row[title_column]
                yield Document(_title(title), row[text_column], f"{source.name}:{started}")
            started = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"not valid CSV: {error} (in the record that starts here)", source.where, started) from None


def _read_parquet(stream: io.BufferedReader[Any], source: Input, records: Records, drops: Drops) -> Iterator[Document]:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
        # Parquet is read from its end, and a stream out of an archive or a decompressor cannot seek.
        shutil.copyfileobj(stream, copy)
        row = 0
        try:
            file = pq.ParquetFile(copy)
            names = file.schema_arrow.names
            wanted = [records.text_field, *([records.title_field] if records.title_field else [])]
            for field in wanted:
                _column(names, field, source.where)
            kind = file.schema_arrow.field(records.text_field).type
            for batch in file.iter_batches(batch_size=_ROWS, columns=list(dict.fromkeys(wanted))):
                for record in batch.to_pylist():
                    row += 1
                    text = record[records.text_field]
                    locator = f"{source.name}:{row}"
                    if text is None:
                        drops.add(NO_TEXT, locator)
                        continue
                    if not isinstance(text, str):
                        raise DataError(f"column {records.text_field!r} holds {kind}, not text", source.where)
                    yield Document(_title(record[records.title_field] if records.title_field else None), text, locator)
        except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
            message = str(error).splitlines()[0]
            raise DataError(f"not readable as Parquet after row {row}: {message}", source.where) from None


def _column(names: list[str], field: str, where: str) -> int:
    if field not in names:
        raise DataError(_no_field(field, names), where)
    return names.index(field)


def _no_field(field: str, names: list[str]) -> str:
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"no field {field!r}; there are: {shown or 'none'}"


def _title(value: Any) -> str:
    return "" if value is None else tidy(" ".join(str(value).split()))


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
