"""Word similarity: Spearman's rho between people's judgements and cosines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.tasks.bootstrap import Interval, rank_correlation, rank_interval
from firth.tasks.words.lexicon import Lexicon
from firth.tasks.words.readers import Pair


@dataclass(frozen=True, slots=True)
class SimilarityScore:
    """Spearman's rho on the covered pairs (None where there is none to compute), its interval, and the cosines.

    `cosines` has one entry a pair, None where a word is not in the vocabulary.
    """

    score: float | None
    interval: Interval | None
    covered: int
    total: int
    cosines: list[float | None]


def score_similarity(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    pairs: Sequence[Pair],
    *,
    bootstrap: int,
    seed: int,
) -> SimilarityScore:
    """Compare `pairs` with the cosines of `matrix` (words, dim); equal to gensim's `evaluate_word_pairs`.

    The whole vocabulary is used; tied values share their average rank.
    """
    lexicon = Lexicon.of(words, matrix)
    rows = [(lexicon.row(pair.first), lexicon.row(pair.second)) for pair in pairs]
    cosines = [
        None if first is None or second is None else float(lexicon.unit[first] @ lexicon.unit[second])
        for first, second in rows
    ]
    human = np.array([pair.human for pair, cosine in zip(pairs, cosines, strict=True) if cosine is not None])
    machine = np.array([cosine for cosine in cosines if cosine is not None])
    rho = rank_correlation(human, machine)
    interval = rank_interval(human, machine, bootstrap, seed) if rho is not None else None
    return SimilarityScore(rho, interval, len(machine), len(pairs), cosines)
