"""The Huffman tree of a vocabulary: words are leaves; the more frequent a word, the shorter its way from the root."""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firth.errors import DataError
from firth.training.compile_cache import cached


@dataclass(frozen=True, eq=False)
class HuffmanTree:
    """The way to each word: word i passes the inner nodes `points[offsets[i]:offsets[i + 1]]`, the root first.

    At each it turns as `codes` says at the same place: 0 or 1. Of V words there are V − 1 inner nodes, numbered as they
    were made: the root is V − 2. `points` is int32, `codes` int8, `offsets` int64 (V + 1,); all are read-only.
    """

    points: NDArray[np.int32]
    codes: NDArray[np.int8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, counts: NDArray[np.int64]) -> HuffmanTree:
        """The tree of words with these counts, in any order; the same counts give the same tree.

        The two subtrees of least count are joined, the lesser by code 0. Among equal counts words come before joined
        subtrees, which keeps the longest way short; of words the one with the larger id, of subtrees the older.

        Raises:
            DataError: fewer than two words, a negative count, or counts whose sum does not fit in 63 bits.
        """
        counts = np.array(counts, dtype=np.int64)  # a copy: one form for the compiled code
        if len(counts) < 2:
            raise DataError(f"a Huffman tree needs 2 words or more, here: {len(counts)}")
        if counts.min() < 0 or counts.sum(dtype=np.float64) >= 2.0**62:
            raise DataError("counts of words must be 0 or more, and their sum below 2^62")
        order = np.argsort(counts[::-1], kind="stable")  # rarest first, the larger id before the smaller
        points, codes, offsets = _builder()(counts, len(counts) - 1 - order)
        for array in (points, codes, offsets):
            array.flags.writeable = False
        return cls(points, codes, offsets)

    def __len__(self) -> int:
        """Words."""
        return len(self.offsets) - 1

    @property
    def longest(self) -> int:
        """Inner nodes on the longest way."""
        return int(np.diff(self.offsets).max())

    def way(self, word: int) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Inner nodes and turns of `word`, from the root."""
        part = slice(self.offsets[word], self.offsets[word + 1])
        return self.points[part], self.codes[part]


@cache
def _builder() -> Any:
    """`_build`, whose compiled code is kept on disk."""
    return cached(njit(_build), __file__)


def _build(counts, order):  # type: ignore[no-untyped-def]
    """`points`, `codes` and `offsets` of `HuffmanTree`; `order` are the words, rarest first."""
    parents, turns = _join(counts, order)
    offsets = _offsets(parents, len(order))
    points, codes = _ways(parents, turns, offsets)
    return points, codes, offsets


@njit
def _join(counts, order):  # type: ignore[no-untyped-def]
    """Parents and turns of all 2V − 1 subtrees: words by id, then inner nodes as they are made.

    Joined counts never fall, so that the least of all is always the next word or the oldest inner node left.
    """
    words = len(order)
    sums = np.empty(words - 1, np.int64)
    parents = np.zeros(2 * words - 1, np.int64)
    turns = np.zeros(2 * words - 1, np.int8)
    leaf = inner = 0
    for made in range(words - 1):
        total = 0
        for turn in range(2):
            if leaf < words and (inner == made or counts[order[leaf]] <= sums[inner]):
                least = order[leaf]
                total += counts[least]
                leaf += 1
            else:
                least = words + inner
                total += sums[inner]
                inner += 1
            parents[least] = words + made
            turns[least] = turn
        sums[made] = total
    return parents, turns


@njit
def _offsets(parents, words):  # type: ignore[no-untyped-def]
    """Sums of the words' depths. A parent is made after its children, the root last."""
    depths = np.zeros(len(parents), np.int64)
    for subtree in range(len(parents) - 2, -1, -1):
        depths[subtree] = depths[parents[subtree]] + 1
    offsets = np.zeros(words + 1, np.int64)
    for word in range(words):
        offsets[word + 1] = offsets[word] + depths[word]
    return offsets


@njit
def _ways(parents, turns, offsets):  # type: ignore[no-untyped-def]
    """`points` and `codes` of all words, each filled from its leaf upwards."""
    words = len(offsets) - 1
    points = np.empty(offsets[words], np.int32)
    codes = np.empty(offsets[words], np.int8)
    for word in range(words):
        subtree = word
        for place in range(offsets[word + 1] - 1, offsets[word] - 1, -1):
            codes[place] = turns[subtree]
            subtree = parents[subtree]
            points[place] = subtree - words
    return points, codes
