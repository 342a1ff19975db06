"""Words that are not in the vocabulary: the error that names them, and the vector that their n-grams make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firth.config.word2vec import Subwords
from firth.errors import FirthError
from firth.word2vec.subwords import bucket_of, ngrams_of


class UnknownWordError(FirthError):
    """A word that has no vector."""


def out_of_vocabulary(word: str, ngrams: NDArray[np.float32], subwords: Subwords) -> NDArray[np.float32]:
    """A vector (dim,) for a word that was never seen: the mean of the rows of its n-grams.

    `ngrams` is the matrix (buckets, dim), `subwords` the settings that it was trained with.

    Raises:
        UnknownWordError: the word is too short to have an n-gram.
    """
    if len(ngrams) != subwords.buckets:
        raise ValueError(f"{len(ngrams)} n-gram rows for subwords.buckets = {subwords.buckets}")
    rows = [bucket_of(ngram, subwords.buckets) for ngram in ngrams_of(word, subwords)] if word else []
    if not rows:
        raise UnknownWordError(
            f"{word[:80]!r} is not in the vocabulary, and has no n-grams of {subwords.shortest} to {subwords.longest} "
            "characters to make a vector of"
        )
    mean: NDArray[np.float32] = ngrams[rows].mean(axis=0, dtype=np.float32)
    return mean
