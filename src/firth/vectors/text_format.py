"""Vectors as text, a word and its numbers a line, parsed by blocks: word2vec's format (with a first line) and GloVe's.

A block of lines is split and parsed by Arrow at once. Only where that fails are its lines looked at one by one: to name
the one at fault, or because a word has blanks in it, as `. . .` in GloVe's vectors of Common Crawl.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from firth.errors import DataError

BLOCK = 1 << 24
"""Bytes parsed together; also the longest line."""

ROWS = 4096
"""Rows written together."""


class Progress(Protocol):
    """Is told how far a file has been read or written."""

    def __call__(self) -> None: ...


def read_rows(
    stream: BinaryIO, path: Path, dim: int | None, first_line: int, progress: Progress
) -> tuple[list[str], NDArray[np.float32]]:
    """The words and float32 (words, dim) of the lines of `stream`, of which the next is number `first_line` of `path`.

    Raises:
        DataError: with the line that is not a word and `dim` numbers (None: as many as the next line has).
    """
    words: list[str] = []
    parts: list[NDArray[np.float32]] = []
    number = first_line
    for lines in _blocks(stream, path, first_line):
        if dim is None:
            dim = numbers_behind(lines[0])
            if dim == 0:
                raise DataError("not a word and numbers, separated by blanks", path, number)
        block = _parsed(lines, dim)
        if block is None:
            rows = [_row(line, dim, path, number + i) for i, line in enumerate(lines)]
            heads, matrix = [word for word, _ in rows], np.stack([row for _, row in rows])
        else:
            heads, matrix = block
        words += (_word(head, path, number + i) for i, head in enumerate(heads))
        parts.append(matrix)
        number += len(lines)
        progress()
    return words, np.concatenate(parts) if parts else np.empty((0, dim or 0), np.float32)


def numbers_behind(line: bytes) -> int:
    """How many fields at the end of `line` are numbers, its first field apart."""
    count = 0
    for field in reversed(line.rstrip(b" \r\n").split(b" ")[1:]):
        if not is_number(field):
            break
        count += 1
    return count


def is_number(field: bytes) -> bool:
    """Whether `field` can be read as a float."""
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field


def text_rows(words: tuple[str, ...], matrix: NDArray[np.float32]) -> Iterator[bytes]:
    """Blocks of lines; numbers have the 9 digits that give the same float32 back."""
    line = "%s" + " %.9g" * matrix.shape[1] + "\n"
    for first in range(0, len(words), ROWS):
        rows = matrix[first : first + ROWS].tolist()
        yield "".join(line % (word, *row) for word, row in zip(words[first : first + ROWS], rows, strict=True)).encode()


def _blocks(stream: BinaryIO, path: Path, number: int) -> Iterator[list[bytes]]:
    """Whole lines without their ends, about `BLOCK` bytes at a time; blank ones at the end of the file are left out."""
    rest, blank = b"", 0
    while data := stream.read(BLOCK):
        data = rest + data
        cut = data.rfind(b"\n") + 1
        if cut == 0 and len(data) > BLOCK:
            raise DataError(f"longer than {BLOCK:,} bytes", path, number)
        rest = data[cut:]
        lines = data[:cut].split(b"\n")[:-1]
        kept = len(lines)
        while kept and not lines[kept - 1].strip():
            kept -= 1
        if kept:
            if blank:
                raise DataError("is blank", path, number)
            yield lines[:kept]
            number += kept
        blank += len(lines) - kept
    if rest.strip():
        if blank:
            raise DataError("is blank", path, number)
        yield [rest]


def _parsed(lines: list[bytes], dim: int) -> tuple[list[bytes], NDArray[np.float32]] | None:
    """The words and numbers of a block; None where one of its lines needs a closer look."""
    cut = [line.rstrip(b" \r").partition(b" ") for line in lines]
    heads = [head for head, _, _ in cut]
    if b"" in heads:
        return None
    with suppress(pa.ArrowInvalid):
        split = pc.split_pattern(pa.array([tail for _, _, tail in cut], pa.binary()).cast(pa.string()), " ")
        if (np.diff(split.offsets.to_numpy()) == dim).all():
            numbers = split.values.cast(pa.float32()).to_numpy(zero_copy_only=False)
            return heads, numbers.reshape(len(lines), dim)
    return None


def _row(line: bytes, dim: int, path: Path, number: int) -> tuple[bytes, NDArray[np.float32]]:
    if not line.strip():
        raise DataError("is blank", path, number)
    if line.startswith(b" "):
        raise DataError("has no word before its numbers", path, number)
    fields = [field for field in line.rstrip(b" \r").split(b" ") if field]
    head = b" ".join(fields[: max(1, len(fields) - dim)])
    if len(fields) - 1 < dim or (len(fields) - 1 > dim and is_number(fields[-dim - 1])):
        count = numbers_behind(b" ".join(fields))
        raise DataError(f"the vector of {_said(fields[0])} has {count} numbers, not {dim}", path, number)
    if not all(map(is_number, fields[-dim:])):
        raise DataError(f"the vector of {_said(head)} is not {dim} numbers", path, number)
    return head, np.array([float(field) for field in fields[-dim:]], dtype=np.float64).astype(np.float32)


def _word(raw: bytes, path: Path, number: int) -> str:
    try:
        word = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"the word is not UTF-8: {raw[:40]!r}", path, number) from None
    if "\t" in word or "\r" in word:
        raise DataError(f"the word {word[:40]!r} has a tab or a line end in it; blanks separate", path, number)
    return word


def _said(raw: bytes) -> str:
    return repr(raw[:80].decode("utf-8", "replace"))
