"""Words and how often they were met, in three arrays that compiled code fills: far smaller than a Python dictionary."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from firth.tokens.characters import IN_CONTEXT, character_table, lowered
from firth.tokens.hashing import AT, COUNT, LENGTH, START, drop_rare, find_or_add, merge, rebuild_slots
from firth.tokens.scanner import MULTIBYTE, find_twos, scan
from firth.tokens.words import SENTENCE_END

FULL = 0.6
"""Largest share of slots that are taken."""

FEWEST = 1 << 14
"""Slots of an empty table."""

_IN_CONTEXT = np.array([list(character.encode()) for character in IN_CONTEXT], dtype=np.uint8)

Codes = NDArray[np.int32]


class WordTable:
    """`size` entries: entry 0 is the end of a sentence, the others are words in the order in which they were met."""

    def __init__(self, words: int, letters: int) -> None:
        """Room for `words` words of together `letters` bytes; `reserve` makes more."""
        self.size = 1
        self._slots = np.zeros(FEWEST, dtype=np.uint64)
        self.used = FEWEST
        self.entries = np.empty((words + 1, 4), dtype=np.int64)
        self.entries[0] = 0, 0, 1, 0
        self.arena = np.empty(letters + 1, dtype=np.uint8)
        self.arena[0] = ord(SENTENCE_END)

    @property
    def slots(self) -> NDArray[np.uint64]:
        """The slots in use, a power of two."""
        return self._slots[: self.used]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each entry was met; a view."""
        return self.entries[: self.size, COUNT]

    @property
    def letters(self) -> int:
        """Bytes of all words."""
        return int(self.entries[self.size - 1, AT] + self.entries[self.size - 1, LENGTH])

    @property
    def distinct(self) -> int:
        """Words that were counted at least once."""
        return int(np.count_nonzero(self.counts[1:]))

    def reserve(self, words: int, letters: int) -> None:
        """Make room for so many more words and bytes."""
        self._reserve_entries(words, letters)
        self._more_slots(self.size + words, self.size + words)

    def _reserve_entries(self, words: int, letters: int) -> None:
        size = self.size + words
        if size > len(self.entries):
            entries = np.empty((max(size, len(self.entries) * 3 // 2), 4), dtype=np.int64)
            entries[: self.size] = self.entries[: self.size]
            self.entries = entries
        used = self.letters
        if used + letters > len(self.arena):
            arena = np.empty(max(used + letters, len(self.arena) * 3 // 2), dtype=np.uint8)
            arena[:used] = self.arena[:used]
            self.arena = arena

    def _more_slots(self, words: int, possible: int) -> None:
        """Take enough slots into use for `words`, of as many as `possible` words could need."""
        used = max(self.used, _power_of_two(words / FULL))
        room = max(used, _power_of_two(possible / FULL))
        if room > len(self._slots):
            self._slots = np.empty(room, dtype=np.uint64)
        elif used == self.used:
            return
        self.used = used
        rebuild_slots(self.slots, self.size, self.entries, self.arena)

    def scan(
        self, lines: bytes, lowercase: bool, numbers: str, first_line: int = 0, heldout: float = 0.0, seed: int = 0
    ) -> tuple[Codes, Codes]:
        """Cut UTF-8 `lines` into words, as `words.split` does, and count them; other threads run meanwhile.

        `heldout` is the share of lines to hold out, chosen by a hash of `seed` and the line's number, which is counted
        from `first_line`.

        Returns:
            The entries of the words, 0 behind each line; the same of the lines held out, whose words are not counted.
        """
        characters = character_table(lowercase, numbers == "digit")
        if not lines.endswith((b"\n", b" ")):
            lines += b" "  # where the scanner stops
        data = np.frombuffer(lines, dtype=np.uint8)
        if lowercase:
            places = np.empty(len(data) // 2, dtype=np.int64)
            found = find_twos(data, _IN_CONTEXT, places)
            if found:
                data = np.frombuffer(lowered(lines, places[:found].tolist()), dtype=np.uint8)
        # the system gives memory only where it is written to: room for the longest possible outcome costs nothing
        words = len(data) // 2 + 1
        self._reserve_entries(words, 2 * len(data) + 8)  # the scanner writes eight bytes at a time
        self._more_slots(self.size, self.size + words)
        codes = np.empty(len(data) + 1, dtype=np.int32)
        held = np.empty(len(data) + 1 if heldout else 0, dtype=np.int32)
        self.size, self.used, written, kept_back = scan(
            data, _single(characters), characters, first_line, seed, round(heldout * (1 << 62)),
            self._slots, self.used, self.size, self.entries, self.arena, codes, held,
        )  # fmt: skip
        return codes[:written], held[:kept_back]

    def add(self, other: WordTable) -> Codes:
        """Add the words and counts of `other`; the entry that each of its entries has here."""
        self.reserve(other.size, other.letters)
        renamed = np.empty(other.size, dtype=np.int32)
        self.size, _ = merge(
            other.size, other.entries, other.arena, self.slots, self.size, self.entries, self.arena, renamed
        )
        return renamed

    def entry(self, word: str) -> int:
        """The entry of `word`, which is added with count 0 if it is new."""
        letters = np.frombuffer(word.encode(errors="surrogatepass"), dtype=np.uint8)
        self.reserve(1, len(letters))
        entry, self.size = find_or_add(letters, self.slots, self.size, self.entries, self.arena)
        return int(entry)

    def drop(self, below: int) -> tuple[Codes, int, int]:
        """Forget the words met less than `below` times.

        Returns:
            The new entry of each entry, −2 for a word that is gone; how many counted words are gone; their occurrences.
        """
        renamed = np.empty(self.size, dtype=np.int32)
        self.size, words, occurrences = drop_rare(below, self.slots, self.size, self.entries, self.arena, renamed)
        return renamed, int(words), int(occurrences)

    def names(self, entries: Iterable[int]) -> list[str]:
        """The words of these entries."""
        wanted = np.fromiter(entries, dtype=np.int64)
        starts = self.entries[wanted, AT]
        letters = self.arena[: self.letters].data
        spans = zip(starts.tolist(), (starts + self.entries[wanted, LENGTH]).tolist(), strict=True)
        return [str(letters[start:stop], "utf-8", "surrogatepass") for start, stop in spans]

    def ranked(self, min_count: int, most: int) -> NDArray[np.int64]:
        """The `most` frequent entries that occur `min_count` times or more, ties by code point.

        UTF-8 sorts by code point; most ties are decided by the first eight bytes, the others by the whole words.
        """
        kept = np.flatnonzero(self.counts[1:] >= min_count) + 1
        starts = self.entries[kept, START].astype(np.uint64).byteswap()
        falling = -self.counts[kept]
        order = np.lexsort((starts, falling))
        kept, starts, falling = kept[order], starts[order], falling[order]
        same = (starts[1:] == starts[:-1]) & (falling[1:] == falling[:-1])
        edges = np.flatnonzero(np.diff(same, prepend=False, append=False))  # runs of ties: first, last + …
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            run = kept[first : last + 1]
            names = self.names(run)
            run[:] = run[sorted(range(len(names)), key=names.__getitem__)]
        return kept[:most]


def _single(table: NDArray[np.int32]) -> NDArray[np.uint8]:
    """`table` for the bytes of UTF-8 taken alone."""
    return np.concatenate([table[:128].astype(np.uint8), np.full(128, MULTIBYTE, dtype=np.uint8)])


def _power_of_two(least: float) -> int:
    return 1 << max(4, int(least).bit_length())
