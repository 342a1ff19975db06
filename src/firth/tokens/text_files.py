"""Plain text files, also compressed, as pieces of bytes: one sentence a line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from firth.errors import DataError
from firth.tokens.counting import Piece

PIECE_BYTES = 1 << 21

OPENERS: dict[str, Callable[[Path], BufferedIOBase]] = {
    ".gz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
"""How to open a file with this ending; all others are read as they are."""


def read_pieces(paths: Sequence[Path], heldout: float) -> Iterator[Piece]:
    """The lines of `paths` in order, about 2 MB at a time; of a longer line the piece ends behind a blank.

    Raises:
        DataError: a file cannot be read or is torn. What is not UTF-8 is found by `Piece.check`.
    """
    lines = 0
    for path in paths:
        first, position = lines, 0
        for block in _blocks(path):
            yield Piece(block, None, lines, heldout, path, lines - first + 1, position)
            lines += int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n")))
            position += len(block)


def _plain(path: Path) -> BufferedIOBase:
    return path.open("rb")


def _blocks(path: Path) -> Iterator[bytes]:
    """The text of one file, cut behind line ends or blanks; the last line gets an end if it has none."""
    try:
        with OPENERS.get(path.suffix, _plain)(path) as stream:
            rest = cut_at = b""
            while block := stream.read(max(PIECE_BYTES, len(rest))):
                block = rest + block
                cut = max(block.rfind(b"\n"), block.rfind(b" ")) + 1
                rest, cut_at = block[cut:], block[cut - 1 : cut] if cut else cut_at
                if cut:
                    yield block[:cut]
            if rest or cut_at == b" ":
                yield rest + b"\n"
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"cannot be read: {reason}", path) from None
