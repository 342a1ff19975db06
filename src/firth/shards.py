"""Parquet shards with a manifest: written in order, checked when read, no shard half there.

A folder of shards is `shard-00000.parquet …` and the shards' part of a manifest: file, documents, words, bytes, sha256.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from firth.canonical import check_file, file_sha256, read_json
from firth.errors import IntegrityError

RAW_SCHEMA = pa.schema(
    [("doc_id", pa.string()), ("source", pa.string()), ("title", pa.string()), ("text", pa.string())]
)
"""Documents as `ingest` writes them."""

CORPUS_SCHEMA = pa.schema(
    [
        ("doc_id", pa.string()),
        ("source", pa.string()),
        ("title", pa.string()),
        ("sentences", pa.list_(pa.string())),
    ]
)
"""Documents as `prepare` writes them."""

ROWS_PER_GROUP = 1024


class ShardEntry(TypedDict):
    """One line of a manifest."""

    file: str
    documents: int
    words: int
    bytes: int
    sha256: str


def write_shards(
    documents: Iterable[tuple[dict[str, Any], int]], folder: Path, schema: pa.Schema, shard_bytes: int
) -> list[ShardEntry]:
    """Write `(document, words)` pairs to shards of about `shard_bytes` of text; the manifest entries, in order.

    The bytes depend on the documents alone (pyarrow's version is in each file's footer and pinned with the rest).
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[ShardEntry] = []
    rows: list[dict[str, Any]] = []
    writer: pq.ParquetWriter | None = None
    path = folder
    written = count = words_in_shard = 0

    def flush() -> None:
        nonlocal writer, path
        if writer is None:
            path = folder / f"shard-{len(entries):05d}.parquet"
            writer = pq.ParquetWriter(path, schema, compression="zstd")
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        rows.clear()

    def close() -> None:
        nonlocal writer, written, count, words_in_shard
        if rows:
            flush()
        if writer is not None:
            writer.close()
            writer = None
            entries.append(
                ShardEntry(
                    file=path.name,
                    documents=count,
                    words=words_in_shard,
                    bytes=path.stat().st_size,
                    sha256=file_sha256(path),
                )
            )
        written = count = words_in_shard = 0

    for document, words in documents:
        rows.append(document)
        count += 1
        words_in_shard += words
        body = document.get("text")
        written += len(body) if body is not None else sum(map(len, document["sentences"]))
        if len(rows) >= ROWS_PER_GROUP:
            flush()
        if written >= shard_bytes:
            close()
    close()
    return entries


def verify(folder: Path, entries: Iterable[ShardEntry]) -> None:
    """Raise `IntegrityError` naming the first shard that is missing, torn or altered."""
    for entry in entries:
        check_file(folder / entry["file"], entry["bytes"], entry["sha256"])


def read_shards(
    folder: Path, entries: Iterable[ShardEntry], columns: list[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Documents in the order in which they were written, after `verify`; memory is bounded by one row group."""
    listed = list(entries)
    verify(folder, listed)
    for entry in listed:
        file = pq.ParquetFile(folder / entry["file"])
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group, columns=columns).to_pylist()


def corpus_side(folder: Path, side: str) -> tuple[int, Iterator[list[str]]]:
    """How many documents the prepared corpus in `folder` has on `side` (train, heldout), and the sentences of each.

    Raises:
        IntegrityError: there is no such corpus, or, while it is read, a shard is missing or altered.
    """
    manifest = read_json(folder / "manifest.json")
    if not isinstance(manifest, dict) or not {"shards", "documents", "words"} <= manifest.keys():
        raise IntegrityError(f"{folder / 'manifest.json'}: not the manifest of a prepared corpus")
    entries = [entry for entry in manifest["shards"] if Path(entry["file"]).parts[0] == side]
    documents = sum(entry["documents"] for entry in entries)
    return documents, (row["sentences"] for row in read_shards(folder, entries, columns=["sentences"]))
