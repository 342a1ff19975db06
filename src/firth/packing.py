"""Files to read, wherever they lie: byte streams and lines out of plain or compressed ones.

A file that ends too early is an error, never a short text.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from firth.errors import DataError

ENDINGS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
"""Compression by the ending of a file's name."""

_BUFFER = 2**20


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read.

    `name` (without a folder) says by its ending how it is packed and leads the locators of what is in it; `where` leads
    error messages; `size` is the number of bytes in it; `open` gives the stream.
    """

    name: str
    where: str
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def local(path: Path) -> Input:
    """A file of one's own, plain or packed by its ending.

    Raises:
        DataError: there is no such file.
    """
    if not path.is_file():
        raise DataError("is a folder; expected a file" if path.is_dir() else "no such file", path)

    def open_stream() -> IO[bytes]:
        return path.open("rb")

    return Input(name=path.name, where=str(path), size=path.stat().st_size, open=open_stream)


@dataclass(slots=True)
class ByteCount:
    """How far reading has come, in bytes of the files as they are stored; `total` is None where nobody knows."""

    total: int | None = None
    done: int = 0


def unpacked_name(name: str) -> str:
    """`name` without the ending of its compression: `a.csv.gz` → `a.csv`."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in ENDINGS else path.name


@contextmanager
def unpacked(source: Input, count: ByteCount) -> Iterator[io.BufferedReader[Any]]:
    """The decompressed bytes of `source`, counted as they are read.

    Raises:
        DataError: the file is damaged or ends before its compressed stream does.
    """
    kind = ENDINGS.get(PurePosixPath(source.name).suffix.lower())
    try:
        with source.open() as raw:
            stream: io.BufferedReader[Any] = io.BufferedReader(_Counted(raw, count), _BUFFER)
            if kind is not None:
                stream = io.BufferedReader(_decompressor(kind, stream), _BUFFER)
            yield stream
    except EOFError:
        raise DataError(f"{kind or 'file'} ends too early: truncated", source.where) from None
    except (OSError, lzma.LZMAError, zlib.error) as error:
        reason = "truncated" if "truncated" in str(error).lower() else f"damaged ({error})"
        raise DataError(f"cannot be read as {kind}: {reason}" if kind else f"{error}", source.where) from None


def _decompressor(kind: str, stream: io.BufferedReader[Any]) -> Any:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=stream)
    if kind == "bzip2":
        return bz2.BZ2File(stream)
    if kind == "xz":
        return lzma.LZMAFile(stream)
    # zstandard's own reader ends a truncated stream without an error; Arrow's says so.
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")


class _Counted(io.RawIOBase):
    """A raw stream that adds what is read from it to a `ByteCount`."""

    def __init__(self, stream: IO[bytes], count: ByteCount) -> None:
        self._stream, self._count = stream, count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._count.done += len(data)
        return len(data)


def text_lines(stream: io.BufferedReader[Any], where: str) -> Iterator[tuple[int, str]]:
    """`(line number, line)` of UTF-8 text: every line end becomes a line feed, a byte order mark is dropped.

    Raises:
        DataError: bytes that are not UTF-8, with their line and their place in the file.
    """
    offset = 0
    for number, raw in enumerate(cast(Iterator[bytes], stream), start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            if number == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise DataError("UTF-16 text; convert it to UTF-8 first", where, 1) from None
            byte = raw[error.start]
            raise DataError(
                f"not UTF-8: byte 0x{byte:02x} at offset {offset + error.start} of the file", where, number
            ) from None
        offset += len(raw)
        yield number, line.replace("\r\n", "\n").replace("\r", "\n") if "\r" in line else line
