"""The antonym study: how near opposites are, beside synonyms and random pairs.

Every word of our own list has an opposite and a synonym, so the two kinds of pairs share their first words. Random
pairs are drawn from the same bands of frequency, as frequent words lie nearer to each other than rare ones do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.tasks.bootstrap import score_interval
from firth.tasks.words.lexicon import Lexicon
from firth.tasks.words.opposites import TRIPLES, Triple

KINDS = ("antonym", "synonym", "random")
NEAREST = 10
RANDOM_PAIRS = 4
"""Random pairs for each word of the list: half as frequent as its opposite, half as its synonym."""

BAND = 1.5
NARROWEST = 25
"""A band reaches from a word's rank by frequency over `BAND` to its rank times `BAND`, and so many ranks each way."""

DECIMALS = 4
"""Of what is written. Cosines are compared at two more: what lies beyond depends on the processor."""

WORDS_AT_ONCE = 8192
Rows = NDArray[np.int64]


def antonym_study(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    *,
    bootstrap: int,
    seed: int,
    triples: Sequence[Triple] = TRIPLES,
) -> dict[str, Any]:
    """Cosines of opposites, of synonyms and of random pairs; `matrix` is (words, dim), the most frequent word first.

    A triple counts where the vocabulary has all of its words. The same values and seed give the same result.

    Returns:
        `{"triples": all, "covered", "vocabulary", "nearest": 10, "kinds": {"antonym" | "synonym" | "random": {"pairs",
        "mean", "low", "high", "near", "frequency_rank"}}, "difference": {"mean", "low", "high"}, "rows": [row],
        "random": [cosine]}`. `low` and `high` are 95% bootstrap intervals, `difference` is opposites less synonyms,
        paired by word. `near` counts the pairs whose second word is among the `nearest` words of the first (null for
        random pairs); `frequency_rank` is the median rank of the second words, 1 the most frequent. A row is
        `{"part", "word", "antonym", "synonym"}` with `"missing": [word]`, or with `"cosine"`, `"rank"` and
        `"rank_back"`, each `{"antonym", "synonym"}`: the rank of the partner among the word's neighbours (1 is the
        nearest), and the other way round.
    """
    lexicon = Lexicon.of(words, matrix)
    known = [triple for triple in triples if all(lexicon.row(word) is not None for word in triple[1:])]
    found = np.array([[lexicon.row(word) for word in triple[1:]] for triple in known], np.int64).reshape(-1, 3)
    firsts, pairs = found[:, 0], {"antonym": found[:, 1], "synonym": found[:, 2]}
    cosine = {kind: cosines(lexicon, firsts, seconds) for kind, seconds in pairs.items()}
    rank = {kind: ranks(lexicon, firsts, seconds) for kind, seconds in pairs.items()}
    back = {kind: ranks(lexicon, seconds, firsts) for kind, seconds in pairs.items()}
    drawn = _random_pairs(words, found, seed)
    cosine["random"] = cosines(lexicon, drawn[:, 0], drawn[:, 1])
    seconds = pairs | {"random": drawn[:, 1]}
    numbers = iter(range(len(known)))
    covered = set(known)
    return {
        "triples": len(triples),
        "covered": len(known),
        "vocabulary": len(words),
        "nearest": NEAREST,
        "kinds": {
            kind: {
                "pairs": len(seconds[kind]),
                **_mean(cosine[kind], bootstrap, seed),
                "near": int(np.count_nonzero(rank[kind] <= NEAREST)) if kind in rank else None,
                "frequency_rank": int(np.median(seconds[kind])) + 1 if len(seconds[kind]) else None,
            }
            for kind in KINDS
        },
        "difference": _mean(cosine["antonym"] - cosine["synonym"], bootstrap, seed),
        "rows": [
            triple._asdict()
            | (
                _row(next(numbers), cosine, rank, back)
                if triple in covered
                else {"missing": [word for word in triple[1:] if lexicon.row(word) is None]}
            )
            for triple in triples
        ],
        "random": [_round(value) for value in np.sort(cosine["random"])],
    }


def cosines(lexicon: Lexicon, firsts: Rows, seconds: Rows) -> NDArray[np.float64]:
    """Cosine of each pair of rows (pairs,)."""
    one, other = (lexicon.unit(rows).astype(np.float64) for rows in (firsts, seconds))
    found: NDArray[np.float64] = (one * other).sum(axis=1).round(DECIMALS + 2)
    return found


def ranks(lexicon: Lexicon, firsts: Rows, seconds: Rows) -> Rows:
    """Place of each of `seconds` among the neighbours of the word beside it in `firsts`, over the whole vocabulary."""
    asked = lexicon.unit(firsts)
    own = cosines(lexicon, firsts, seconds)
    nearer = np.zeros(len(firsts), dtype=np.int64)
    pair = np.arange(len(firsts))
    for start in range(0, len(lexicon.words), WORDS_AT_ONCE):
        some = lexicon.unit(slice(start, start + WORDS_AT_ONCE))
        near = (asked @ some.T).astype(np.float64).round(DECIMALS + 2)  # (pairs, words)
        for rows in (firsts, seconds):
            inside = (rows >= start) & (rows < start + len(some))
            near[pair[inside], rows[inside] - start] = -np.inf
        nearer += np.count_nonzero(near > own[:, None], axis=1)
    return nearer + 1


def _random_pairs(words: Sequence[str], found: Rows, seed: int) -> Rows:
    """(pairs, 2) rows of words of letters, as frequent as the first and the second words of `found` (triples, 3)."""
    generator = np.random.default_rng(seed)
    drawn: list[tuple[int, int]] = []
    for triple in found.tolist():
        own = set(triple)
        for number in range(RANDOM_PAIRS):
            first = _draw(words, triple[0], own, generator)
            second = _draw(words, triple[1 + number % 2], own | {first}, generator)
            if first >= 0 and second >= 0:
                drawn.append((first, second))
    return np.array(drawn, dtype=np.int64).reshape(-1, 2)


def _draw(words: Sequence[str], row: int, without: set[int], generator: np.random.Generator) -> int:
    """A row in the band of `row`; −1 where there is no other word."""
    low = max(0, min(int(row / BAND), row - NARROWEST))
    high = min(len(words), max(int(row * BAND), row + NARROWEST) + 1)
    band = [other for other in range(low, high) if other not in without and words[other].isalpha()]
    return band[int(generator.integers(len(band)))] if band else -1


def _mean(values: NDArray[np.float64], bootstrap: int, seed: int) -> dict[str, float | None]:
    if not len(values):
        return {"mean": None, "low": None, "high": None}
    counts = np.column_stack([values, np.ones(len(values))])
    low, high = score_interval(counts, lambda sums: sums[:, 0] / sums[:, 1], bootstrap, seed)
    return {"mean": _round(values.mean()), "low": _round(low), "high": _round(high)}


def _row(number: int, cosine: dict[str, NDArray[np.float64]], rank: dict[str, Rows], back: dict[str, Rows]) -> Any:
    return {
        "cosine": {kind: _round(cosine[kind][number]) for kind in rank},
        "rank": {kind: int(rank[kind][number]) for kind in rank},
        "rank_back": {kind: int(back[kind][number]) for kind in rank},
    }


def _round(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0
