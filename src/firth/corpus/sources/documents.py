"""A document as it comes from a source, and the bytes behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Document:
    """One text. `locator` says where it came from, such as `news.csv:17` (a line) or `wiki.xml:Albedo` (a title)."""

    title: str
    text: str
    locator: str


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read, wherever it lies.

    `name` (without a folder) says by its ending how it is packed and leads the locators of its documents; `where` leads
    error messages; `size` is the number of bytes in it; `open` gives the stream.
    """

    name: str
    where: str
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(slots=True)
class ByteCount:
    """How far reading has come, in bytes of the files as they are stored; `total` is None where nobody knows."""

    total: int | None = None
    done: int = 0


def tidy(text: str) -> str:
    """`text` with characters that no UTF-8 file can hold (lone surrogates) as U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)
