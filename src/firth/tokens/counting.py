"""The first reading of a text: every word counted and written as a provisional code, in bounded memory.

Pieces of text are scanned by themselves, in several threads; their tables are merged one after the other in the order
of the text. What comes out depends on the pieces alone, not on the number of threads, also where rare words must be
forgotten.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from firth.config.text import Words
from firth.errors import DataError
from firth.tokens.characters import character_table
from firth.tokens.table import Codes, WordTable

PIECE = 1 << 20
"""Codes handled at a time."""

PASSAGE = 1000
"""Codes of consecutive lines that are kept together where a text has no documents."""

OUTSIDE = -2
"""Stands for a word that is in no table."""


class Piece(NamedTuple):
    """Consecutive lines of a text."""

    lines: bytes
    """UTF-8, each line with its end; a long line may go on in the next piece after a blank."""
    documents: Sequence[int] | None = None
    """Lines of each document; None: about `PASSAGE` words of lines are one."""
    first_line: int = 0
    heldout: float = 0.0
    """Share of the lines to hold out (0 where there are `documents`)."""
    path: Path | None = None
    """The file that the lines are from, where they may be something else than UTF-8."""
    line: int = 1
    """Number of the first of them in that file."""
    position: int = 0
    """Bytes before it."""

    def check(self) -> None:
        """Refuse what is not UTF-8: `DataError` names file, line and byte."""
        if self.path is None:
            return
        try:
            self.lines.decode()
        except UnicodeDecodeError as error:
            line = self.line + self.lines.count(b"\n", 0, error.start)
            at = self.position + error.start
            raise DataError(f"not valid UTF-8 ({error.reason} at byte {at})", self.path, line) from None


class Pruned(NamedTuple):
    """What was forgotten to stay within `max_distinct`."""

    words: int = 0
    """A word that came back and went again counts twice."""
    occurrences: int = 0
    below: int = 0
    """Words met fewer times than this were dropped; 0: none were."""


class CodeFile:
    """Provisional codes on disk, and where documents begin and end among them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._ends: list[NDArray[np.int64]] = [np.zeros(1, dtype=np.int64)]
        self._stream: IO[bytes] = path.open("wb")

    def write(self, codes: Codes, documents: Sequence[int] | None) -> None:
        """Append `codes`."""
        ends = np.concatenate(([0], np.flatnonzero(codes == 0) + 1))
        if documents is None:
            last = int(self._ends[-1][-1])
            ends = ends[1:] + self.size
            ends = ends[np.diff(ends // PASSAGE, prepend=last // PASSAGE) > 0]
        else:
            ends = ends[np.cumsum(documents)] + self.size
        if len(ends):
            self._ends.append(ends)
        self._stream.write(np.ascontiguousarray(codes).data)
        self.size += len(codes)

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Where each document begins, and the end of the last one."""
        bounds = np.concatenate(self._ends)
        return bounds if bounds[-1] == self.size else np.append(bounds, self.size)

    def rename(self, names: Codes) -> None:
        """Replace each code by `names[code]`; what is outside stays there."""
        codes = self.map("r+")
        for start in range(0, len(codes), PIECE):
            part = codes[start : start + PIECE]
            inside = part >= 0
            part[inside] = names[part[inside]]

    def shrink(self, bounds: NDArray[np.int64]) -> None:
        """What is mapped has become shorter: its documents lie at `bounds` now, and nothing is written any more."""
        self._ends = [bounds]
        self.size = int(bounds[-1])

    def map(self, mode: Literal["r", "r+"] = "r") -> Codes:
        """The codes, memory-mapped."""
        self._stream.flush()
        if self.size == 0:  # an empty file cannot be mapped
            return np.zeros(0, dtype=np.int32)
        return np.memmap(self.path, dtype=np.int32, mode=mode, shape=(self.size,))

    def close(self) -> None:
        """Delete the file."""
        self._stream.close()
        self.path.unlink(missing_ok=True)


class Counting:
    """Counts and codes of the pieces given to `read`; a context manager, whose files go when it ends."""

    def __init__(self, folder: Path, settings: Words, threads: int) -> None:
        self.settings, self.threads = settings, threads
        self.table = WordTable(1 << 16, 1 << 20)
        self.train = CodeFile(folder / ".train.provisional")
        self.heldout = CodeFile(folder / ".heldout.provisional")
        self.pruned = Pruned()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.train.close()
        self.heldout.close()

    def read(self, pieces: Iterable[Piece]) -> None:
        """Count the words of `pieces`, those of held-out lines not, and write the codes of both."""
        lowercase, numbers = self.settings.lowercase, self.settings.numbers
        character_table(lowercase, numbers == "digit")  # made once, before threads want it
        for piece, codes, held in self._one_thread(pieces) if self.threads == 1 else self._threads(pieces):
            self.train.write(codes, piece.documents)
            self.heldout.write(held, None)
            if self.table.size - 1 > self.settings.max_distinct:
                self._prune()

    def _one_thread(self, pieces: Iterable[Piece]) -> Iterator[tuple[Piece, Codes, Codes]]:
        """Each piece and its codes, scanned straight into the table."""
        for piece in pieces:
            yield piece, *self._scan(piece, self.table)

    def _threads(self, pieces: Iterable[Piece]) -> Iterator[tuple[Piece, Codes, Codes]]:
        """The same from tables of their own, merged in order: words come into the table in the same order.

        At most `threads` + 1 pieces are in memory.
        """
        waiting: deque[tuple[Piece, WordTable, Future[tuple[Codes, Codes]]]] = deque()

        def merged() -> tuple[Piece, Codes, Codes]:
            piece, words, scanned = waiting.popleft()
            codes, held = scanned.result()
            renamed = self.table.add(words)
            return piece, renamed[codes], renamed[held]

        with ThreadPoolExecutor(self.threads) as pool:
            for piece in pieces:
                words = WordTable(0, 0)
                waiting.append((piece, words, pool.submit(self._scan, piece, words)))
                if len(waiting) > self.threads:
                    yield merged()
            while waiting:
                yield merged()

    def _scan(self, piece: Piece, words: WordTable) -> tuple[Codes, Codes]:
        piece.check()
        settings = self.settings
        return words.scan(
            piece.lines, settings.lowercase, settings.numbers, piece.first_line, piece.heldout, settings.seed
        )

    def _prune(self) -> None:
        """Forget rare words, those under a bar that rises by one each time, as the word2vec toolkit does.

        Their occurrences so far are outside the vocabulary for good: a word that comes back is counted from there.
        """
        most = self.settings.max_distinct
        if self.pruned.below == 0:
            print(
                f"words: over {most} distinct words (words.max_distinct): the rarest so far are forgotten",
                file=sys.stderr,
                flush=True,
            )
        while self.table.size - 1 > most:
            rarest = int(self.table.counts[1:].min())
            # what only held-out lines hold goes first
            below = 1 if rarest == 0 else max(self.pruned.below, rarest) + 1
            renamed, words, occurrences = self.table.drop(below)
            for codes in (self.train, self.heldout):
                codes.rename(renamed)
            self.pruned = Pruned(
                self.pruned.words + words, self.pruned.occurrences + occurrences, max(self.pruned.below, below)
            )
