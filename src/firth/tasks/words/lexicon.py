"""Words of a vocabulary found without regard to case; of several spellings the most frequent one counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth.errors import DataError


def fold(word: str) -> str:
    """The form under which words are compared (upper case, as the original C tool and gensim do)."""
    return word.upper()


@dataclass(frozen=True)
class Lexicon:
    """Words (most frequent first), their vectors (words, dim), and the rows behind each folded word.

    `variants` are the further rows of a word that is spelt in several ways, by its first row.
    """

    words: Sequence[str]
    matrix: NDArray[np.float32]
    rows: dict[str, int]
    variants: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Sequence[str], matrix: NDArray[np.float32]) -> Lexicon:
        """Lexicon of `words` with `matrix` (words, dim); `DataError` where they do not fit."""
        if len(words) != len(matrix):
            raise DataError(f"{len(words)} words but {len(matrix)} vectors")
        rows: dict[str, int] = {}
        variants: dict[int, list[int]] = {}
        for row, word in enumerate(words):
            first = rows.setdefault(fold(word), row)
            if first != row:
                variants.setdefault(first, []).append(row)
        return cls(words, matrix, rows, variants)

    def row(self, word: str) -> int | None:
        """Row of the most frequent spelling of `word`, or None."""
        return self.rows.get(fold(word))

    def unit(self, rows: ArrayLike | slice) -> NDArray[np.float32]:
        """Vectors of `rows` at length one, float32 (rows, dim); a zero vector stays zero. A copy of these rows only.

        Raises:
            DataError: one is not finite; its word is named.
        """
        table = np.asarray(self.matrix[rows if isinstance(rows, slice) else np.asarray(rows, np.int64)], np.float32)
        if not np.isfinite(table).all():
            bad = int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])
            row = range(len(self.words))[rows][bad] if isinstance(rows, slice) else int(np.asarray(rows)[bad])
            raise DataError(f"the vector of {self.words[row]!r} is not finite")
        norms = np.linalg.norm(table, axis=1, keepdims=True)
        unit: NDArray[np.float32] = table / np.maximum(norms, np.finfo(np.float32).tiny)
        return unit
