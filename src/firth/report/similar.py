"""Nearest words, and how near opposites are: cosines over all words of one model."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from firth.report.inputs import Model

NEIGHBOURS = 10
DECIMALS = 4
"""Decimals of every cosine that is shown or compared: what lies beyond them depends on the processor."""

SPELLINGS_AMONG = 100_000
RANDOM_PAIRS = 10_000


def neighbours(model: Model, word: str, count: int = NEIGHBOURS) -> dict[str, Any]:
    """The `count` words of highest cosine to `word`, or words spelt like it where the model does not know it.

    Returns:
        `{"count": occurrences, "neighbours": [{"word", "cosine"}]}`, or `{"missing": True, "spellings": [word, …]}`.
    """
    row = model.index.get(word)
    if row is None:
        return {"missing": True, "spellings": spellings(model, word)}
    found = [
        {"word": near, "cosine": round(cosine, DECIMALS)} for near, cosine in model.vectors.most_similar(word, count)
    ]
    return {"count": int(model.vectors.vocabulary.counts[row]), "neighbours": found}


def spellings(model: Model, word: str, count: int = 3) -> list[str]:
    """Words of the vocabulary spelt nearly like `word`, best first."""
    return difflib.get_close_matches(word, list(model.words[:SPELLINGS_AMONG]), n=count, cutoff=0.7)


def antonyms(model: Model, pairs: Sequence[tuple[str, str]], seed: int) -> dict[str, Any]:
    """Cosine of each pair, each word's rank among the other's neighbours (1 is the nearest), and a random baseline.

    Returns:
        `{"pairs": [{"pair", "cosine", "rank", "rank_back"} or {"pair", "missing": [word]}], "random": {"pairs",
        "among", "mean", "low", "high"}}`; low and high hold the middle 90 % of random pairs.
    """
    import numpy as np

    rows: list[dict[str, Any]] = []
    for first, second in pairs:
        missing = [word for word in (first, second) if word not in model.index]
        if missing:
            rows.append({"pair": [first, second], "missing": missing})
            continue
        a, b = model.index[first], model.index[second]
        cosine, back = _cosines(model, a), _cosines(model, b)
        rows.append(
            {
                "pair": [first, second],
                "cosine": float(round(float(cosine[b]), DECIMALS)),
                "rank": int(np.count_nonzero(np.delete(cosine, [a, b]) > cosine[b])) + 1,
                "rank_back": int(np.count_nonzero(np.delete(back, [a, b]) > back[a])) + 1,
            }
        )
    deepest = max((model.index[word] for pair in pairs for word in pair if word in model.index), default=0)
    return {"pairs": rows, "random": random_pairs(model, deepest + 1, seed)}


def random_pairs(model: Model, among: int, seed: int) -> dict[str, Any]:
    """Cosines of random pairs of different words among the `among` (at least 1,000) most frequent ones."""
    import numpy as np

    among = min(len(model.words), max(among, 1000))
    if among < 2:
        return {"pairs": 0, "among": among, "mean": 0.0, "low": 0.0, "high": 0.0}
    generator = np.random.default_rng(seed)
    first = generator.integers(0, among, RANDOM_PAIRS)
    second = (first + generator.integers(1, among, RANDOM_PAIRS)) % among
    cosine = np.einsum("ij,ij->i", model.unit[first], model.unit[second], dtype=np.float64)
    low, high = np.quantile(cosine, [0.05, 0.95])
    return {
        "pairs": RANDOM_PAIRS,
        "among": among,
        "mean": round(float(cosine.mean()), DECIMALS),
        "low": round(float(low), DECIMALS),
        "high": round(float(high), DECIMALS),
    }


def _cosines(model: Model, row: int) -> NDArray[np.float64]:
    """(vocabulary,) cosines to word `row`, rounded, so that ranks do not hang on a last bit."""
    import numpy as np

    cosine: NDArray[np.float64] = (model.unit @ model.unit[row]).astype(np.float64).round(DECIMALS + 2)
    return cosine
