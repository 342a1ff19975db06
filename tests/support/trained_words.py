"""Word vectors trained on real text: 300 news documents that gensim ships with its tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from firth.tokens.vocabulary import Vocabulary
from firth.vectors.vectors import Vectors


@cache
def news() -> tuple[Any, Vectors]:
    """gensim's `KeyedVectors` and ours of one training, with the same numbers."""
    from gensim.models import Word2Vec
    from gensim.test.utils import datapath

    with open(datapath("lee_background.cor"), encoding="utf-8") as lines:  # noqa: PTH123 - gensim gives a str
        sentences = [line.lower().split() for line in lines]
    theirs = Word2Vec(sentences, vector_size=48, min_count=2, sg=1, alpha=0.05, epochs=15, workers=1, seed=1).wv
    counts = np.array([theirs.get_vecattr(word, "count") for word in theirs.index_to_key], dtype=np.int64)
    return theirs, Vectors(Vocabulary(tuple(theirs.index_to_key), counts), theirs.vectors)
