"""Words of a vocabulary found without regard to case; of several spellings the most frequent one counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firth.errors import DataError


def fold(word: str) -> str:
    """The form under which words are compared (upper case, as the original C tool and gensim do)."""
    return word.upper()


@dataclass(frozen=True)
class Lexicon:
    """The first `restrict` rows of a matrix of vectors, at length one, and the rows behind each folded word."""

    words: Sequence[str]
    rows: dict[str, int]
    unit: NDArray[np.float32]  # (words, dim)
    variants: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Sequence[str], matrix: NDArray[np.float32], restrict: int | None = None) -> Lexicon:
        """Lexicon of `words` (most frequent first) with `matrix` (words, dim); `DataError` where they do not fit."""
        if len(words) != len(matrix):
            raise DataError(f"{len(words)} words but {len(matrix)} vectors")
        kept = words if restrict is None else words[:restrict]
        rows: dict[str, int] = {}
        variants: dict[int, list[int]] = {}
        for row, word in enumerate(kept):
            first = rows.setdefault(fold(word), row)
            if first != row:
                variants.setdefault(first, []).append(row)
        table = np.asarray(matrix[: len(kept)], dtype=np.float32)
        if not np.isfinite(table).all():
            bad = int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])
            raise DataError(f"the vector of {kept[bad]!r} is not finite")
        norms = np.linalg.norm(table, axis=1, keepdims=True)
        return cls(kept, rows, table / np.maximum(norms, np.finfo(np.float32).tiny), variants)

    def row(self, word: str) -> int | None:
        """Row of the most frequent spelling of `word`, or None."""
        return self.rows.get(fold(word))
