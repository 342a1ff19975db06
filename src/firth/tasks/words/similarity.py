"""Word similarity: Spearman's rho between people's judgements and cosines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.tasks.bootstrap import Interval, rank_correlation, rank_interval
from firth.tasks.words.lexicon import Lexicon, fold
from firth.tasks.words.readers import Pair

Compose = Callable[[str], NDArray[np.float32] | None]
"""The vector (dim,) of a word outside the vocabulary, made of its n-grams; None where it has none."""


@dataclass(frozen=True, slots=True)
class SimilarityScore:
    """Spearman's rho on the covered pairs (None where there is none to compute), its interval, and the cosines.

    `cosines` has one entry a pair, None where a word has no vector. `unknown` are the words outside the vocabulary, in
    the order of the file; `composed` counts the covered pairs that have such a word.
    """

    score: float | None
    interval: Interval | None
    covered: int
    total: int
    cosines: list[float | None]
    unknown: list[str]
    composed: int


def score_similarity(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    pairs: Sequence[Pair],
    *,
    bootstrap: int,
    seed: int,
    compose: Compose | None = None,
) -> SimilarityScore:
    """Compare `pairs` with the cosines of `matrix` (words, dim); equal to gensim's `evaluate_word_pairs`.

    The whole vocabulary is used; tied values share their average rank. With `compose`, words outside the vocabulary
    are scored, too.
    """
    lexicon = Lexicon.of(words, matrix)
    asked: dict[str, str] = {}
    for pair in pairs:
        for word in (pair.first, pair.second):
            asked.setdefault(fold(word), word)
    rows = {key: row for key in asked if (row := lexicon.row(key)) is not None}
    unit = dict(zip(rows, lexicon.unit(list(rows.values())), strict=True)) if rows else {}
    unknown = [word for key, word in asked.items() if key not in rows]
    if compose is not None:
        unit |= {fold(word): _unit(vector) for word in unknown if (vector := compose(word)) is not None}
    known = [[unit.get(fold(word)) for word in (pair.first, pair.second)] for pair in pairs]
    cosines = [None if first is None or second is None else float(first @ second) for first, second in known]
    human = np.array([pair.human for pair, cosine in zip(pairs, cosines, strict=True) if cosine is not None])
    machine = np.array([cosine for cosine in cosines if cosine is not None])
    rho = rank_correlation(human, machine)
    return SimilarityScore(
        score=rho,
        interval=rank_interval(human, machine, bootstrap, seed) if rho is not None else None,
        covered=len(machine),
        total=len(pairs),
        cosines=cosines,
        unknown=unknown,
        composed=sum(
            cosine is not None and not rows.keys() >= {fold(pair.first), fold(pair.second)}
            for pair, cosine in zip(pairs, cosines, strict=True)
        ),
    )


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vector / np.maximum(np.linalg.norm(vector), np.finfo(np.float32).tiny)
    return unit
