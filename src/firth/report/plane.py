"""Two dimensions out of many: a map of frequent words (t-SNE), and pairs of one relation as arrows (PCA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from firth.report.inputs import Model

GROUPS = 7
SMALLEST_MAP = 8
SMALLEST_WORD = 3
FUNCTION_WORD_SHARE = 1e-3
"""A word more frequent than this is taken for a function word, in whatever language the text is, …"""

FUNCTION_WORD_PART = 100
"""… if it also is among this part (one in a hundred) of the vocabulary: in a small text every word is frequent."""

DECIMALS = 3


def content_words(model: Model, count: int) -> list[int]:
    """Rows of the `count` most frequent words that mean something by themselves, most frequent first.

    Left out: English stop words, words too frequent to say much, short words, and what is not all letters.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    ceiling = FUNCTION_WORD_SHARE * sum(model.counts)
    certain = len(model.words) // FUNCTION_WORD_PART
    rows: list[int] = []
    for row, (word, occurrences) in enumerate(zip(model.words, model.counts, strict=True)):
        if row < certain and occurrences > ceiling:
            continue
        if len(word) >= SMALLEST_WORD and word.isalpha() and word not in ENGLISH_STOP_WORDS:
            rows.append(row)
            if len(rows) == count:
                break
    return rows


def word_map(model: Model, count: int, seed: int) -> dict[str, Any]:
    """The map of `model`: t-SNE positions in a unit square and k-means groups found in all dimensions.

    Returns:
        `{"points": [{"word", "x", "y", "group"}], "groups": [[word, …]]}`, groups by size, their words from the
        centre outwards; no points where fewer than eight words are left to draw.
    """
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    rows = content_words(model, count)
    if len(rows) < SMALLEST_MAP:
        return {"points": [], "groups": []}
    vectors = np.ascontiguousarray(model.unit[rows], dtype=np.float64)
    vectors = vectors - vectors.mean(axis=0)
    # One thread: sums over several threads end in another order, and t-SNE makes a picture out of the last bit.
    with threadpool_limits(limits=1):
        placed = TSNE(
            n_components=2, perplexity=min(25.0, (len(rows) - 1) / 3), init="pca", random_state=seed, n_jobs=1
        ).fit_transform(vectors)
        means = KMeans(n_clusters=min(GROUPS, len(rows)), n_init=10, random_state=seed).fit(vectors)
    placed = (placed - placed.min(axis=0)) / np.maximum(np.ptp(placed, axis=0), 1e-12)
    distance = np.linalg.norm(vectors - means.cluster_centers_[means.labels_], axis=1)
    rank, groups = _by_size(means.labels_, distance)
    points = [
        {
            "word": model.words[row],
            "x": round(float(x), DECIMALS),
            "y": round(float(y), DECIMALS),
            "group": rank[int(label)],
        }
        for row, (x, y), label in zip(rows, placed, means.labels_, strict=True)
    ]
    return {"points": points, "groups": [[model.words[rows[i]] for i in group] for group in groups]}


def relations(model: Model, named: Mapping[str, Sequence[tuple[str, str]]]) -> list[dict[str, Any]]:
    """Each relation's pairs in the plane of their two largest principal components.

    Returns:
        `[{"name", "arrows": [{"pair", "from": [x, y], "to": [x, y]}], "missing": [word], "explained", "parallel"}]`.
        `explained` is the share of variance the plane keeps; `parallel` the mean cosine between two arrows of the
        relation in all dimensions (0 for arrows without a common direction).
    """
    import numpy as np
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    drawn: list[dict[str, Any]] = []
    for name, pairs in named.items():
        known = [pair for pair in pairs if pair[0] in model.index and pair[1] in model.index]
        missing = [word for pair in pairs for word in pair if word not in model.index]
        entry: dict[str, Any] = {"name": name, "arrows": [], "missing": missing, "explained": None, "parallel": None}
        drawn.append(entry)
        if len(known) < 2:
            continue
        rows = [model.index[word] for pair in known for word in pair]
        vectors = model.unit[rows].astype(np.float64)
        with threadpool_limits(limits=1):
            pca = PCA(n_components=2, svd_solver="full").fit(vectors)
            placed = pca.transform(vectors).reshape(-1, 2, 2)  # (pair, end, axis)
        # The mean arrow points right and up in every panel, so that panels can be compared.
        placed = placed * np.where((placed[:, 1] - placed[:, 0]).mean(axis=0) < 0, -1.0, 1.0)
        entry["explained"] = round(float(pca.explained_variance_ratio_.sum()), DECIMALS)
        entry["parallel"] = round(_parallel(vectors.reshape(len(known), 2, -1)), DECIMALS)
        entry["arrows"] = [
            {"pair": list(pair), "from": _round(ends[0]), "to": _round(ends[1])}
            for pair, ends in zip(known, placed, strict=True)
        ]
    return drawn


def _parallel(pairs: NDArray[np.float64]) -> float:
    """Mean cosine between the difference vectors of (pair, 2, dim) word pairs."""
    import numpy as np

    arrow = pairs[:, 1] - pairs[:, 0]
    arrow = arrow / np.maximum(np.linalg.norm(arrow, axis=1, keepdims=True), 1e-12)
    return float(np.mean([arrow[i] @ arrow[j] for i, j in combinations(range(len(arrow)), 2)]))


def _by_size(labels: NDArray[np.int32], distance: NDArray[np.float64]) -> tuple[dict[int, int], list[list[int]]]:
    """Groups renumbered from the largest down; the members of each from its centre outwards."""
    members: dict[int, list[int]] = {}
    for i, label in enumerate(labels):
        members.setdefault(int(label), []).append(i)
    order = sorted(members, key=lambda label: (-len(members[label]), members[label][0]))
    rank = {label: place for place, label in enumerate(order)}
    return rank, [sorted(members[label], key=lambda i: (round(float(distance[i]), 6), i)) for label in order]


def _round(point: NDArray[np.float64]) -> list[float]:
    return [round(float(value), DECIMALS) + 0.0 for value in point]
