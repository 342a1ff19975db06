"""Vectors of texts as files: JSON lines, NumPy, safetensors."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from firth.canonical import write_atomic
from firth.errors import FirthError

JSON_LINES, NUMPY, SAFETENSORS = ".jsonl", ".npy", ".safetensors"
ENDINGS = (SAFETENSORS, NUMPY, JSON_LINES)

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

    - `.jsonl`: a line a text, see `write_lines`.
    - `.npy`: float32 (texts, D).
    - `.safetensors`: `vectors`, float32 (texts, D). For tokens and words `vectors` (parts of all texts, D), `starts`
      int64 (texts + 1), where each text's parts start, and `names` uint8, UTF-8, a part a line.

    Raises:
        FirthError: it cannot be written.
    """
    try:
        if path.suffix == JSON_LINES:
            with _whole_file(path) as stream:
                return write_lines(stream, found)
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


@contextmanager
def _whole_file(path: Path) -> Iterator[TextIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
