"""One word with several senses: a vector for each of its sentences, and how well the senses lie apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from firth.bert.folder import Bert
    from firth.config.evaluation import Ambiguous
    from firth.report.inputs import Model

LAYERS_SUMMED = 4
DECIMALS = 3
AROUND = 2
"""Words on each side that a point's label shows."""

FEWEST_GROUPINGS = 20
"""With fewer ways to sort the sentences, even the best one would be no evidence at 95 %."""

SHUFFLES = 4999
MOST_GROUPINGS = 5000
CERTAIN = 0.05
STATIC_NEIGHBOURS = 8


def ambiguous(asked: Ambiguous, static: Model, encoders: Sequence[tuple[str, str, Bert]], seed: int) -> dict[str, Any]:
    """What the page shows of the ambiguous word.

    Args:
        asked: The word and its sentences.
        static: Word vectors, which have one for the word whatever its sentence.
        encoders: Name, label and model of each contextual encoder.
        seed: Of the shuffles where there are too many groupings to try them all.
    """
    senses = list(dict.fromkeys(item.sense for item in asked.sentences))
    groups = [senses.index(item.sense) for item in asked.sentences]
    known = asked.word.lower() if asked.word.lower() in static.index else asked.word
    near = static.vectors.most_similar(known, STATIC_NEIGHBOURS) if known in static.index else []
    return {
        "word": asked.word,
        "senses": senses,
        "sentences": [
            {"group": group, "short": around(item.text, asked.word), "parts": split(item.text, asked.word)}
            for item, group in zip(asked.sentences, groups, strict=True)
        ],
        "static": {
            "model": static.name,
            "label": static.label,
            "known": known in static.index,
            "neighbours": [word for word, _ in near],
        },
        "encoders": [
            {"encoder": name, "label": label, "layers": _layers(bert)} | _measured(_vectors(bert, asked), groups, seed)
            for name, label, bert in encoders
        ],
    }


def split(text: str, word: str) -> list[str]:
    """`text` before, at and behind the first occurrence of `word`."""
    words = text.split()
    place = [one.lower() for one in words].index(word.lower())
    return [" ".join(words[:place]), words[place], " ".join(words[place + 1 :])]


def around(text: str, word: str) -> str:
    """The words next to the first occurrence of `word`; an ellipsis stands for the word itself."""
    before, _, behind = split(text, word)
    return " ".join([*before.split()[-AROUND:], "…", *[one for one in behind.split() if one.isalnum()][:AROUND]])


def separation(vectors: NDArray[np.float64], groups: Sequence[int], seed: int) -> dict[str, Any]:
    """Mean cosine within a sense and across senses, and how many other groupings lie as far apart.

    Returns:
        `{"within", "across", "groupings", "as_good", "tried", "separates"}`: `as_good` of the `tried` ways to sort
        the sentences into groups of these sizes, the true one included, have as large a difference; `separates` is
        whether those are at most 5 %, null where there are too few ways to tell. `within` is null where each sense
        has one sentence only.
    """
    import numpy as np

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosine = (unit @ unit.T).round(6)
    pairs = list(combinations(range(len(groups)), 2))
    within, across = _means(cosine, groups, pairs)
    ways = groupings(groups)
    known: dict[str, Any] = {
        "within": None if within is None else round(within, DECIMALS),
        "across": None if across is None else round(across, DECIMALS),
        "groupings": ways,
    }
    if within is None or across is None:
        return known | {"as_good": None, "tried": None, "separates": None}
    gap = within - across
    tried = _all(groups) if ways <= MOST_GROUPINGS else _some(groups, seed)
    as_good = 0
    for other in tried:
        inside, outside = _means(cosine, other, pairs)
        as_good += inside is not None and outside is not None and inside - outside >= gap - 1e-9
    certain = as_good <= CERTAIN * len(tried)
    return known | {
        "as_good": as_good,
        "tried": len(tried),
        "separates": certain if ways >= FEWEST_GROUPINGS else None,
    }


def groupings(groups: Sequence[int]) -> int:
    """How many ways there are to sort the sentences into groups of these sizes; groups have no names."""
    sizes = Counter(groups).values()
    ways = math.factorial(len(groups))
    for size in sizes:
        ways //= math.factorial(size)
    for alike in Counter(sizes).values():
        ways //= math.factorial(alike)
    return ways


def plane(vectors: NDArray[np.float64]) -> tuple[list[list[float]], float]:
    """(sentences, 2) positions along the two largest principal components, and their share of the variance.

    Each axis points to where its farthest point lies, so that the picture is the same on every machine.
    """
    import numpy as np

    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    placed = np.zeros((len(vectors), 2))
    kept = min(2, len(sizes))
    placed[:, :kept] = left[:, :kept] * sizes[:kept]
    placed = placed / max(float(np.abs(placed).max()), 1e-12)
    for axis in range(2):
        farthest = int(np.argmax(np.abs(placed[:, axis]).round(6)))
        placed[:, axis] *= -1.0 if placed[farthest, axis] < 0 else 1.0
    total = float((sizes**2).sum())
    explained = float((sizes[:kept] ** 2).sum()) / total if total else 0.0
    return [[round(float(x), DECIMALS) + 0.0 for x in point] for point in placed], round(explained, DECIMALS)


def _layers(bert: Bert) -> int:
    """How many of the last layers are summed: four, or one where the model has fewer."""
    return LAYERS_SUMMED if bert.model.architecture.layers >= LAYERS_SUMMED else 1


def _vectors(bert: Bert, asked: Ambiguous) -> NDArray[np.float64]:
    import numpy as np

    from firth.encode.use import word_vector

    layers: Literal["last", "sum4"] = "sum4" if _layers(bert) == LAYERS_SUMMED else "last"
    found = [word_vector(bert, item.text, asked.word, layers=layers) for item in asked.sentences]
    return np.stack(found).astype(np.float64)


def _measured(vectors: NDArray[np.float64], groups: Sequence[int], seed: int) -> dict[str, Any]:
    points, explained = plane(vectors)
    return {"points": points, "explained": explained} | separation(vectors, groups, seed)


def _means(
    cosine: NDArray[np.float64], groups: Sequence[int], pairs: Sequence[tuple[int, int]]
) -> tuple[float | None, float | None]:
    """Mean cosine of pairs in one group, and of pairs in two; None where there is no such pair."""
    inside = [float(cosine[a, b]) for a, b in pairs if groups[a] == groups[b]]
    outside = [float(cosine[a, b]) for a, b in pairs if groups[a] != groups[b]]
    return _mean(inside), _mean(outside)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _all(groups: Sequence[int]) -> list[tuple[int, ...]]:
    """Every way to sort the sentences into unnamed groups of these sizes, once each."""
    left = Counter(groups)
    found: set[tuple[int, ...]] = set()

    def sort_on(sorted_: tuple[int, ...], left: Mapping[int, int]) -> None:
        if len(sorted_) == len(groups):
            # Unnamed: groups are numbered as they come up.
            number: dict[int, int] = {}
            found.add(tuple(number.setdefault(group, len(number)) for group in sorted_))
            return
        for group, count in left.items():
            if count:
                sort_on((*sorted_, group), {**left, group: count - 1})

    sort_on((), left)
    return sorted(found)


def _some(groups: Sequence[int], seed: int) -> list[tuple[int, ...]]:
    """The true grouping and random ones."""
    import numpy as np

    generator = np.random.default_rng(seed)
    return [tuple(groups), *(tuple(int(one) for one in generator.permutation(groups)) for _ in range(SHUFFLES))]
