"""Documents out of one file of plain text, JSON Lines, CSV or Parquet.

Damage to the structure (not JSON, a row of another width, a missing field) is an error that names file and line. A
record without content (`null` where the text would be) is dropped and counted.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from firth.config.corpora import Records
from firth.corpus.drops import Drops
from firth.corpus.sources.documents import Document
from firth.corpus.sources.mediawiki import read_mediawiki
from firth.errors import DataError
from firth.packing import Input, text_lines, unpacked_name
from firth.records import csv_rows, json_objects, kind_of, no_field, tidy

NO_TEXT = "no text (null)"
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
    for number, record in json_objects(stream, source.where):
        if records.text_field not in record:
            raise DataError(no_field(records.text_field, list(record)), source.where, number)
        text = record[records.text_field]
        locator = f"{source.name}:{number}"
        if text is None:
            drops.add(NO_TEXT, locator)
            continue
        if not isinstance(text, str):
            raise DataError(f"field {records.text_field!r} holds {kind_of(text)}, not text", source.where, number)
        title = record.get(records.title_field) if records.title_field is not None else None
        titled = titled or records.title_field in record
        yield Document(_title(title), tidy(text), locator)
    if not titled and number:
        raise DataError(f"no record has the title field {records.title_field!r}", source.where)


def _read_csv(stream: io.BufferedReader[Any], source: Input, records: Records) -> Iterator[Document]:
    rows = csv_rows(stream, source.where, "\t" if unpacked_name(source.name).lower().endswith(".tsv") else ",")
    _, header = next(rows, (0, None))
    if header is None:
        return
    text_column = _column(header, records.text_field, source.where)
    title_column = None if records.title_field is None else _column(header, records.title_field, source.where)
    for line, row in rows:
        title = "" if title_column is None else row[title_column]
        yield Document(_title(title), row[text_column], f"{source.name}:{line}")


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
        raise DataError(no_field(field, names), where)
    return names.index(field)


def _title(value: Any) -> str:
    return "" if value is None else tidy(" ".join(str(value).split()))
