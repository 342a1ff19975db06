"""Words of a vocabulary that are spelt almost like another: what an error about an unknown word suggests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LONGEST = 100
"""Characters; nobody meant a longer word."""


def near_spellings(word: str, words: Sequence[str], n: int = 3) -> list[str]:
    """The `n` of `words` that take the fewest edits to become `word`, ties in their order; case counts for nothing.

    An edit adds, drops or replaces a character or swaps two neighbours (optimal string alignment). Words of up to 3
    characters may be 1 edit away, longer ones 2. All words of one length are compared at once: 1M words take under
    a second.
    """
    if not 0 < len(word) <= LONGEST:
        return []
    allowed = 1 if len(word) <= 3 else 2
    asked = _codes([word.lower()], len(word.lower()))[:, 0]
    by_length: dict[int, list[int]] = {}
    for i, other in enumerate(words):
        if abs(len(other) - len(word)) <= allowed:
            by_length.setdefault(len(other), []).append(i)
    found: list[tuple[int, int]] = []
    for length, rows in by_length.items():
        folded = [words[i].lower() for i in rows]
        same = [k for k, other in enumerate(folded) if len(other) == length]  # "İ".lower() has two characters
        if length and same:
            edits = _edits(asked, _codes([folded[k] for k in same], length))
            found += [(int(edits[k]), rows[same[k]]) for k in np.flatnonzero(edits <= allowed)]
    return [words[i] for _, i in sorted(found)[:n]]


def _codes(words: list[str], length: int) -> NDArray[np.uint32]:
    """Code points (length, words)."""
    return np.ascontiguousarray(np.array(words, dtype=f"U{length}").view(np.uint32).reshape(len(words), length).T)


def _edits(asked: NDArray[np.uint32], others: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Edits between `asked` (m,) and each column of `others` (length, words)."""
    length, count = others.shape
    before: list[NDArray[np.uint8]] = []
    last = [np.full(count, j, dtype=np.uint8) for j in range(length + 1)]
    for i, code in enumerate(asked, 1):
        row = [np.full(count, i, dtype=np.uint8)]
        for j in range(1, length + 1):
            differs = (others[j - 1] != code).view(np.uint8)
            cost = np.minimum(np.minimum(last[j], row[j - 1]) + np.uint8(1), last[j - 1] + differs)
            if before and j > 1:
                swapped = (others[j - 1] == asked[i - 2]) & (others[j - 2] == code)
                cost = np.where(swapped, np.minimum(cost, before[j - 2] + np.uint8(1)), cost)
            row.append(cost)
        before, last = last, row
    return last[length]
