"""Trained vectors: read, written, and asked for neighbours, analogies and similarities."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from firth.canonical import write_atomic
from firth.errors import DataError, FirthError, IntegrityError
from firth.tokens import vocabulary as vocabularies
from firth.tokens.vocabulary import Vocabulary

FILE = "vectors.safetensors"

Which = Literal["input", "output", "sum", "concat"]
"""Input vectors W, output vectors C, W + C, or W and C side by side."""

SPELLINGS = 50_000
"""Near spellings are looked for among this many of the most frequent words."""


class UnknownWordError(FirthError):
    """A word that has no vector."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """A vector for each word of `vocabulary`: `matrix` is float32 (vocabulary, dim)."""

    vocabulary: Vocabulary
    matrix: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.vocabulary):
            raise IntegrityError(
                f"{len(self.vocabulary)} words but a matrix of shape {self.matrix.shape}: not of the same training"
            )

    @classmethod
    def load(cls, folder: Path, which: Which = "input") -> Vectors:
        """The vectors in `folder`, written by `save_matrices`."""
        vocabulary = Vocabulary.load(folder / vocabularies.FILE)
        matrices = load_matrices(folder)
        if matrices["input"].shape != matrices["output"].shape or len(matrices["input"]) != len(vocabulary):
            raise IntegrityError(
                f"{folder / FILE}: matrices of {matrices['input'].shape} and {matrices['output'].shape} for a "
                f"vocabulary of {len(vocabulary)} words"
            )
        if which == "sum":
            return cls(vocabulary, matrices["input"] + matrices["output"])
        if which == "concat":
            return cls(vocabulary, np.concatenate([matrices["input"], matrices["output"]], axis=1))
        if which in matrices:
            return cls(vocabulary, matrices[which])
        raise ValueError(f"which={which!r}: one of input, output, sum, concat")

    @cached_property
    def unit(self) -> NDArray[np.float32]:
        """The vectors scaled to length 1; a zero vector stays zero."""
        lengths = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        return (self.matrix / np.where(lengths == 0, 1, lengths)).astype(np.float32)

    def id_of(self, word: str) -> int:
        """Row of `word`.

        Raises:
            UnknownWordError: it has none; words spelt alike are named.
        """
        try:
            return self.vocabulary.ids[word]
        except KeyError:
            near = difflib.get_close_matches(word, self.vocabulary.words[:SPELLINGS], n=3)
            hint = f"; near spellings: {', '.join(near)}" if near else ""
            raise UnknownWordError(f"{word!r} is not in the vocabulary of {len(self.vocabulary)} words{hint}") from None

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        """The vector of `word` (dim,)."""
        row: NDArray[np.float32] = self.matrix[self.id_of(word)]
        return row

    def __contains__(self, word: object) -> bool:
        return word in self.vocabulary.ids

    def similarity(self, first: str, second: str) -> float:
        """Cosine of two words' vectors, −1 to 1."""
        return float(self.unit[self.id_of(first)] @ self.unit[self.id_of(second)])

    def most_similar(self, word: str, n: int = 10) -> list[tuple[str, float]]:
        """The `n` nearest other words by cosine, nearest first; ties in the order of the vocabulary."""
        row = self.id_of(word)
        return self._nearest(self.unit[row], n, {row})

    def analogy(self, a: str, b: str, c: str, n: int = 1) -> list[tuple[str, float]]:
        """`a` is to `b` as `c` is to what? The `n` best by 3CosAdd; the three words themselves are left out."""
        rows = [self.id_of(word) for word in (a, b, c)]
        target = self.unit[rows[1]] - self.unit[rows[0]] + self.unit[rows[2]]
        length = np.linalg.norm(target)
        return self._nearest(target / length if length else target, n, set(rows))

    def _nearest(self, target: NDArray[np.float32], n: int, without: set[int]) -> list[tuple[str, float]]:
        if n < 1:
            raise ValueError(f"n={n}: ask for at least 1 word")
        scores = self.unit @ target
        scores[list(without)] = -np.inf
        wanted = min(n, len(scores) - len(without))
        threshold = np.partition(scores, -wanted)[-wanted] if wanted else np.inf
        best = np.flatnonzero(scores >= threshold)
        best = best[np.argsort(-scores[best], kind="stable")][:wanted]
        return [(self.vocabulary.words[i], float(scores[i])) for i in best]


def save_matrices(
    folder: Path, vocabulary: Vocabulary, inputs: NDArray[np.float32], outputs: NDArray[np.float32]
) -> None:
    """Write both matrices (vocabulary, dim) and the vocabulary; the same values give the same bytes."""
    for matrix in (inputs, outputs):
        Vectors(vocabulary, matrix)
    folder.mkdir(parents=True, exist_ok=True)
    matrices = {"input": inputs, "output": outputs}
    write_atomic(folder / FILE, save({name: np.ascontiguousarray(m, np.float32) for name, m in matrices.items()}))
    vocabulary.save(folder / vocabularies.FILE)


def load_matrices(folder: Path) -> dict[str, NDArray[np.float32]]:
    """`input` and `output` (vocabulary, dim) as they lie in `folder`."""
    path = folder / FILE
    if not path.is_file():
        raise IntegrityError(f"{path}: no such file")
    try:
        matrices = load_file(path)
    except (SafetensorError, OSError) as error:
        raise IntegrityError(f"{path}: torn or not a safetensors file ({error})") from None
    for name in ("input", "output"):
        found = matrices.get(name)
        if found is None or found.ndim != 2 or found.dtype != np.float32:
            raise DataError(f"no float32 matrix {name!r} in it", path)
        if not np.isfinite(found).all():
            raise IntegrityError(f"{path}: the matrix {name!r} holds values that are not finite")
    return matrices
