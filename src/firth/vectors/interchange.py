"""Vectors in other tools' files: word2vec's text and binary formats, which gensim shares, and GloVe's text.

word2vec's both start with a line `words dim`. A text line is a word and its numbers; a binary record is the word, a
space, and little-endian float32 numbers, with or without a line end behind them. GloVe's text has no first line. Counts
are part of none: 0 after import. A file may be compressed: read by what it holds, written by its ending `.gz`.
"""

from __future__ import annotations

import codecs
import gzip
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from firth.errors import DataError, FirthError
from firth.progress import Meter
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.text_format import BLOCK, is_number, read_rows, text_rows
from firth.vectors.vectors import Vectors
from firth.word2vec.matrix_files import save_matrices

Format = Literal["word2vec-text", "word2vec-binary", "glove"]

MAX_WORD = 10_000
"""Bytes; a longer word in a binary file means that the file is not what it says."""

MAX_DIM = 1 << 16

LONG = 1 << 25
"""Bytes of a file, or numbers to write, from which on progress is shown."""

HEAD = 1 << 18
"""Bytes that a format is told from."""


class Source(NamedTuple):
    """An opened file: what is in it, its size on disk, and how much of that has been read."""

    stream: BinaryIO
    size: int
    position: Callable[[], int]
    compressed: bool


def read(path: Path, format_: Format | Literal["auto"] = "auto") -> Vectors:
    """Read vectors; `auto` tells the format from the file.

    Raises:
        DataError: with the line, or the number of the word, where the file is not that.
    """
    chosen = detect(path) if format_ == "auto" else format_
    return {"word2vec-text": read_text, "word2vec-binary": read_binary, "glove": read_glove}[chosen](path)


def write(vectors: Vectors, path: Path, format_: Format) -> None:
    """Write vectors; the file appears complete or not at all."""
    {"word2vec-text": write_text, "word2vec-binary": write_binary, "glove": write_glove}[format_](vectors, path)


def import_file(path: Path, folder: Path, format_: Format | Literal["auto"] = "auto") -> Vectors:
    """Read `path` into `folder`, which appears complete or not at all; one that holds something is refused."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FirthError(f"{folder}: not empty; name a new folder")
    vectors = read(path, format_)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        save_matrices(part, vectors.vocabulary, {"input": vectors.matrix})
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return vectors


def detect(path: Path) -> Format:
    """The format of `path`, told from its beginning.

    Raises:
        DataError: it is none of them.
    """
    with opened(path) as source:
        head = source.stream.read(HEAD)
    if head.startswith(b"\xba\x16\x4f\x2f"):
        raise DataError("a model of fastText's program; its vectors are in the file that ends in .vec", path)
    first, _, rest = head.partition(b"\n")
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() and len(field) < 20 for field in fields):
        second = rest.partition(b"\n")[0].rstrip(b" \r").split(b" ")[1:]
        whole = second if b"\n" in rest or len(head) < HEAD else second[:-1]
        numbers = bool(whole) and all(map(is_number, whole[-int(fields[1]) :]))
        return "word2vec-text" if numbers or _is_text(rest) else "word2vec-binary"
    numbers_behind = first.rstrip(b" \r").split(b" ")[1:]
    if numbers_behind and is_number(numbers_behind[-1]):
        return "glove"
    raise DataError(f"starts like none of the formats {', '.join(get_args(Format))}", path, 1)


def write_text(vectors: Vectors, path: Path) -> None:
    """Write word2vec's text format; numbers have the 9 digits that give the same float32 back."""
    words, dim = vectors.matrix.shape
    _write(vectors, path, f"{words} {dim}\n".encode(), text_rows(vectors.vocabulary.words, vectors.matrix))


def write_glove(vectors: Vectors, path: Path) -> None:
    """Write GloVe's text format."""
    _write(vectors, path, b"", text_rows(vectors.vocabulary.words, vectors.matrix))


def write_binary(vectors: Vectors, path: Path) -> None:
    """Write word2vec's binary format."""
    words, dim = vectors.matrix.shape
    rows = zip(vectors.vocabulary.words, vectors.matrix, strict=True)
    records = (word.encode() + b" " + row.astype("<f4").tobytes() + b"\n" for word, row in rows)
    _write(vectors, path, f"{words} {dim}\n".encode(), records)


def read_text(path: Path) -> Vectors:
    """Read word2vec's text format.

    Raises:
        DataError: with the line where the file is not that.
    """
    with opened(path) as source, _progress(source, path) as progress:
        count, dim = _header(source, path)
        words, matrix = read_rows(source.stream, path, dim, 2, progress)
    if len(words) < count:
        raise DataError(f"ends after {len(words)} of {count} words", path, len(words) + 2)
    if len(words) > count:
        raise DataError(f"goes on after the {count} words that its first line promises", path, count + 2)
    return _vectors(words, matrix, path, lambda i: f"line {i + 2}")


def read_glove(path: Path) -> Vectors:
    """Read GloVe's text format; the first line says how many numbers a vector has.

    Raises:
        DataError: with the line where the file is not that.
    """
    with opened(path) as source, _progress(source, path) as progress:
        words, matrix = read_rows(source.stream, path, None, 1, progress)
    if not words:
        raise DataError("holds no words", path)
    return _vectors(words, matrix, path, lambda i: f"line {i + 1}")


def read_binary(path: Path) -> Vectors:
    """Read word2vec's binary format.

    Raises:
        DataError: the file is torn or not that format; with the number of the word.
    """
    words: list[str] = []
    parts: list[NDArray[np.float32]] = []
    with opened(path) as source, _progress(source, path) as progress:
        count, dim = _header(source, path)
        needed = count * (4 * dim + 1)
        if not source.compressed and source.size < needed:
            raise DataError(f"torn: {count} words of {dim} numbers need {needed} bytes or more", path)
        data, ended = b"", False
        while len(words) < count:
            if ended:
                raise DataError(f"torn or not binary: word {len(words) + 1} of {count} is not whole", path)
            more = source.stream.read(BLOCK)
            ended = not more
            read_, rows, used = _records(data + more, count - len(words), dim, len(words), path)
            words += read_
            parts.append(rows)
            data = (data + more)[used:]
            progress()
        if (data + source.stream.read(BLOCK)).strip():
            raise DataError(f"goes on after the {count} words that its first line promises", path)
    return _vectors(words, np.concatenate(parts), path, lambda i: f"word {i + 1}")


def _records(data: bytes, count: int, dim: int, before: int, path: Path) -> tuple[list[str], NDArray[np.float32], int]:
    """Up to `count` whole records at the start of `data`: words, vectors, and the bytes they take."""
    words: list[str] = []
    vectors: list[bytes] = []
    used = 0
    while len(words) < count:
        start = used
        while data[start : start + 1] == b"\n":
            start += 1
        space = data.find(b" ", start, start + MAX_WORD + 1)
        stop = space + 1 + 4 * dim
        if space < 0 and len(data) - start > MAX_WORD:
            raise DataError(f"torn or not binary: no word where word {before + len(words) + 1} should be", path)
        if space < 0 or stop > len(data):
            break
        raw = data[start:space]
        try:
            words.append(raw.decode("utf-8"))
        except UnicodeDecodeError:
            raise DataError(f"word {before + len(words) + 1} is not UTF-8: {raw[:40]!r}", path) from None
        vectors.append(data[space + 1 : stop])
        used = stop
    return words, np.frombuffer(b"".join(vectors), dtype="<f4").astype(np.float32).reshape(-1, dim), used


def _is_text(data: bytes) -> bool:
    """Whether the beginning of a file, cut anywhere, can be text: so is a harmed line of text, and no float32."""
    try:
        decoded = codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return all(character >= " " or character in "\t\r\n" for character in decoded)


def _header(source: Source, path: Path) -> tuple[int, int]:
    parts = source.stream.readline(100).split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or not 0 < int(parts[1]) <= MAX_DIM:
        raise DataError("the first line is not `words dim`", path, 1)
    count, dim = int(parts[0]), int(parts[1])
    if count == 0:
        raise DataError("holds no words", path, 1)
    if not source.compressed and count * dim > source.size:
        raise DataError(f"too short for {count} words of {dim} numbers", path, 1)
    return count, dim


def _vectors(words: list[str], matrix: NDArray[np.float32], path: Path, place: Callable[[int], str]) -> Vectors:
    vocabulary = Vocabulary(tuple(words), np.zeros(len(words), dtype=np.int64))
    if len(vocabulary.ids) != len(words):
        seen: dict[str, int] = {}
        for i, word in enumerate(words):
            if seen.setdefault(word, i) != i:
                raise DataError(f"the word {word[:80]!r} occurs twice, as {place(seen[word])} and {place(i)}", path)
    for i, word in enumerate(words):
        if not word or "\t" in word or "\n" in word:
            raise DataError(f"{place(i)}: {word[:80]!r} is not a word", path)
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        bad = int(np.flatnonzero(~finite)[0])
        raise DataError(f"{place(bad)}: the vector of {words[bad]!r} holds values that are not finite", path)
    return Vectors(vocabulary, matrix)


def _write(vectors: Vectors, path: Path, header: bytes, blocks: Iterator[bytes]) -> None:
    for word in vectors.vocabulary.words:
        if not word or any(letter.isspace() for letter in word):
            raise DataError(f"the word {word!r} cannot be written: these formats end a word at white space")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with ExitStack() as stack:
            stream = cast(BinaryIO, stack.enter_context(part.open("wb")))
            if path.suffix == ".gz":  # without name and time, so that the same vectors are the same bytes
                zipped = gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0, compresslevel=6)
                stream = cast(BinaryIO, stack.enter_context(zipped))
            stream.write(header)
            meter = (
                stack.enter_context(Meter(f"write {path.name}", None, "bytes")) if vectors.matrix.size > LONG else None
            )
            for block in blocks:
                stream.write(block)
                if meter:
                    meter.advance(len(block))
        part.replace(path)
    except OSError as error:
        raise FirthError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """What is in `path`, decompressed where it starts like a gzip file; a torn one is named."""
    try:
        with path.open("rb") as raw:
            size = os.fstat(raw.fileno()).st_size
            if raw.peek(2)[:2] != b"\x1f\x8b":
                yield Source(raw, size, raw.tell, compressed=False)
                return
            with gzip.open(raw) as stream:
                yield Source(cast(BinaryIO, stream), size, raw.tell, compressed=True)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"torn: cannot be decompressed ({error})", path) from None
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})", path) from None


@contextmanager
def _progress(source: Source, path: Path) -> Iterator[Callable[[], None]]:
    if source.size < LONG:
        yield lambda: None
        return
    with Meter(f"read {path.name}", source.size, "bytes") as meter:
        yield lambda: meter.advance(source.position() - meter.done)
