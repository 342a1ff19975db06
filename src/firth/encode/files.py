"""Vectors of texts as files: Parquet, JSON lines, NumPy, safetensors."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.numpy import save

from firth.canonical import whole_file, write_atomic
from firth.errors import FirthError

PARQUET, JSON_LINES, NUMPY, SAFETENSORS = ".parquet", ".jsonl", ".npy", ".safetensors"
ENDINGS = (PARQUET, SAFETENSORS, NUMPY, JSON_LINES)

ROW_GROUP = 1024
"""Texts of a Parquet file that are held in memory and written together."""

Vectors = NDArray[np.float32]


class TextVectors(NamedTuple):
    """A text with its vector or vectors."""

    text: str
    names: list[str] | None
    """Of its tokens or words; None where there is one vector for the whole."""
    vectors: Vectors
    """(D,), or (parts, D)."""


def check_ending(path: Path, pooling: str) -> None:
    """`FirthError` where `path` names no format, or one that cannot hold what `pooling` gives."""
    if path.suffix not in ENDINGS:
        raise FirthError(f"{path}: the ending names the format: {', '.join(ENDINGS)}")
    if path.suffix == NUMPY and pooling in ("tokens", "words"):
        raise FirthError(
            f"{path}: {NUMPY} holds one vector a text, and {pooling} gives several: {SAFETENSORS} or {JSON_LINES}"
        )


def write_vectors(path: Path, found: Iterable[TextVectors]) -> int:
    """Write the file, which appears complete or not at all; returns the number of texts.

    - `.parquet`: a row a text: `text` string, `vector` list of D float32. For tokens and words `text`, `names` list of
      strings, `vectors` list of such vectors. Compressed with zstd, written in groups of rows.
    - `.jsonl`: a line a text, see `write_lines`.
    - `.npy`: float32 (texts, D).
    - `.safetensors`: `vectors`, float32 (texts, D). For tokens and words `vectors` (parts of all texts, D), `starts`
      int64 (texts + 1), where each text's parts start, and `names` uint8, UTF-8, a part a line.

    Raises:
        FirthError: it cannot be written.
    """
    try:
        if path.suffix == JSON_LINES:
            with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
                return write_lines(stream, found)
        if path.suffix == PARQUET:
            with whole_file(path) as part:
                return _write_parquet(part, found)
        rows = list(found)
        tensors = _tensors(rows)
        if path.suffix == NUMPY:
            buffer = io.BytesIO()
            np.save(buffer, tensors["vectors"])
            write_atomic(path, buffer.getvalue())
        else:
            write_atomic(path, save(tensors))
        return len(rows)
    except OSError as error:
        raise FirthError(f"{path}: cannot be written ({error.strerror or error})") from error


def write_lines(stream: TextIO, found: Iterable[TextVectors]) -> int:
    """A JSON object a line: `text` and `vector`, or `text`, `names` and `vectors`; returns the number of lines."""
    count = 0
    for row in found:
        said: dict[str, object] = {"text": row.text}
        if row.names is None:
            said["vector"] = _numbers(row.vectors)
        else:
            said |= {"names": row.names, "vectors": [_numbers(vector) for vector in row.vectors]}
        stream.write(json.dumps(said, ensure_ascii=False) + "\n")
        count += 1
    return count


def _numbers(vector: Vectors) -> list[float]:
    """With the 9 digits that give the same float32 back."""
    return [float(f"{number:.9g}") for number in vector.tolist()]


def _tensors(rows: list[TextVectors]) -> dict[str, NDArray[Any]]:
    if all(row.names is None for row in rows):
        return {"vectors": np.stack([row.vectors for row in rows])}
    names = [name for row in rows for name in row.names or []]
    return {
        "vectors": np.concatenate([row.vectors for row in rows]),
        "starts": np.cumsum([0, *(len(row.vectors) for row in rows)], dtype=np.int64),
        "names": np.frombuffer("".join(f"{name}\n" for name in names).encode(), dtype=np.uint8),
    }


def _write_parquet(path: Path, found: Iterable[TextVectors]) -> int:
    rows, count = iter(found), 0
    group = list(islice(rows, ROW_GROUP))
    schema = _schema(group[0])
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        while group:
            writer.write_table(_table(group, schema))
            count += len(group)
            group = list(islice(rows, ROW_GROUP))
    return count


def _schema(row: TextVectors) -> pa.Schema:
    vector = pa.list_(pa.float32(), row.vectors.shape[-1])
    if row.names is None:
        return pa.schema({"text": pa.string(), "vector": vector})
    return pa.schema({"text": pa.string(), "names": pa.list_(pa.string()), "vectors": pa.list_(vector)})


def _table(rows: list[TextVectors], schema: pa.Schema) -> pa.Table:
    texts = pa.array([row.text for row in rows], pa.string())
    numbers = np.concatenate([row.vectors.reshape(-1) for row in rows])
    if rows[0].names is None:
        return pa.Table.from_arrays([texts, _vectors(numbers, schema.field("vector").type)], schema=schema)
    starts = np.cumsum([0, *(len(row.vectors) for row in rows)], dtype=np.int32)
    vectors = pa.ListArray.from_arrays(starts, _vectors(numbers, schema.field("vectors").type.value_type))
    return pa.Table.from_arrays([texts, pa.array([row.names for row in rows]), vectors], schema=schema)


def _vectors(numbers: Vectors, kind: pa.FixedSizeListType) -> pa.Array:
    """(n · D,) as n lists of D."""
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers, pa.float32()), type=kind)
