"""The word2vec toolkit's two file formats, text and binary: what gensim and others load and save.

Both start with a line `words dim`. A text line is a word and its numbers; a binary record is the word, a space, and
little-endian float32 numbers, with or without a line end behind them. Counts are not part of either: 0 after import.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from firth.errors import DataError
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.vectors import Vectors

MAX_WORD = 10_000
"""Bytes; a longer word in a binary file means that the file is not what it says."""


def write_text(vectors: Vectors, path: Path) -> None:
    """Write the text format; numbers have the 9 digits that give the same float32 back."""
    words, dim = vectors.matrix.shape
    line = "%s" + " %.9g" * dim + "\n"
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f"{words} {dim}\n")
        for word, row in zip(vectors.vocabulary.words, vectors.matrix, strict=True):
            stream.write(line % (_writable(word), *row.tolist()))


def write_binary(vectors: Vectors, path: Path) -> None:
    """Write the binary format."""
    words, dim = vectors.matrix.shape
    with path.open("wb") as stream:
        stream.write(f"{words} {dim}\n".encode())
        for word, row in zip(vectors.vocabulary.words, vectors.matrix.astype("<f4"), strict=True):
            stream.write(_writable(word).encode() + b" " + row.tobytes() + b"\n")


def read_text(path: Path) -> Vectors:
    """Read the text format.

    Raises:
        DataError: with the line where the file is not that.
    """
    words: list[str] = []
    with path.open("rb") as stream:
        count, dim = _header(stream, path)
        matrix = np.empty((count, dim), dtype=np.float32)
        for number in range(count):
            raw = stream.readline()
            if not raw:
                raise DataError(f"ends after {number} of {count} words", path, number + 2)
            word, _, numbers = _decode(raw.rstrip(b" \r\n"), path, number + 2).partition(" ")
            try:
                row = np.array(numbers.split(" "), dtype=np.float32)
            except ValueError:
                raise DataError(f"the vector of {word!r} is not {dim} numbers", path, number + 2) from None
            if len(row) != dim:
                raise DataError(f"the vector of {word!r} has {len(row)} numbers, not {dim}", path, number + 2)
            matrix[number] = row
            words.append(word)
        if stream.read().strip():
            raise DataError(f"goes on after the {count} words that its first line promises", path, count + 2)
    return _vectors(words, matrix, path)


def read_binary(path: Path) -> Vectors:
    """Read the binary format.

    Raises:
        DataError: the file is torn or not that format.
    """
    words: list[str] = []
    with path.open("rb") as stream:
        count, dim = _header(stream, path)
        needed = count * (4 * dim + 1)
        if path.stat().st_size < needed:
            raise DataError(f"torn: {count} words of {dim} numbers need {needed} bytes or more", path)
        matrix = np.empty((count, dim), dtype=np.float32)
        for number in range(count):
            raw = bytearray()
            while (letter := stream.read(1)) != b" ":
                if not letter or len(raw) > MAX_WORD:
                    raise DataError(f"torn or not binary: no word where word {number + 1} of {count} should be", path)
                if letter != b"\n" or raw:
                    raw += letter
            words.append(_decode(bytes(raw), path, None))
            data = stream.read(4 * dim)
            if len(data) != 4 * dim:
                raise DataError(f"torn: the vector of word {number + 1} of {count} is cut off", path)
            matrix[number] = np.frombuffer(data, dtype="<f4")
        if stream.read().strip():
            raise DataError(f"goes on after the {count} words that its first line promises", path)
    return _vectors(words, matrix, path)


def _writable(word: str) -> str:
    if not word or any(letter.isspace() for letter in word):
        raise DataError(f"the word {word!r} cannot be written: these formats end a word at white space")
    return word


def _header(stream: BinaryIO, path: Path) -> tuple[int, int]:
    parts = stream.readline(100).split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) == 0:
        raise DataError("the first line is not `words dim`", path, 1)
    count, dim = int(parts[0]), int(parts[1])
    if count * dim > path.stat().st_size:
        raise DataError(f"too short for {count} words of {dim} numbers", path, 1)
    return count, dim


def _decode(raw: bytes, path: Path, line: int | None) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"a word is not UTF-8: {raw[:40]!r}", path, line) from None


def _vectors(words: list[str], matrix: NDArray[np.float32], path: Path) -> Vectors:
    vocabulary = Vocabulary(tuple(words), np.zeros(len(words), dtype=np.int64))
    if len(vocabulary.ids) != len(words):
        raise DataError("a word occurs twice", path)
    if not np.isfinite(matrix).all():
        raise DataError("a vector holds values that are not finite", path)
    return Vectors(vocabulary, matrix)
