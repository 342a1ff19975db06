"""The rows of a matrix that lie nearest to others by cosine: exactly, or approximately through an index.

Both give their answers in one order: by the cosine, computed anew in float64 for the few best, then by row. It does not
depend on how many queries are asked together, and equal vectors have equal cosines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from firth.canonical import write_atomic
from firth.errors import FirthError, IntegrityError
from firth.progress import Meter

if TYPE_CHECKING:
    from usearch.index import Index

Floats = NDArray[np.float32]
Combine = Callable[[NDArray[np.floating]], NDArray[np.floating]]

SCORES = 1 << 24
"""Cosines held at a time, 64 MB."""

GATHERED = 1 << 22
"""Numbers of rows compared anew at a time."""

SLACK = 1e-5
"""A float32 cosine may be wrong by so much: rows this close below the last of the best are compared anew."""


class Found(NamedTuple):
    """The best rows for one query and their cosines, best first."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


class Search(Protocol):
    """What finds the nearest rows."""

    def nearest(self, targets: Floats, n: int) -> list[Found]:
        """The `n` nearest rows to each of `targets` (queries, dim), all rows where there are fewer than `n`."""


def lengths_of(matrix: Floats) -> Floats:
    """Euclidean lengths of the rows, 1 for a row of zeros: the cosine with it is then 0."""
    lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    return np.where(lengths == 0, 1, lengths).astype(np.float32)


def unit_of(vector: Floats) -> Floats:
    """`vector` at length 1; zeros stay zeros."""
    unit: Floats = vector / lengths_of(vector[None])[0]
    return unit


class Exact:
    """Compares a query with every row of `matrix` (rows, dim), which is not copied."""

    def __init__(self, matrix: Floats) -> None:
        self.matrix = matrix
        self.lengths = lengths_of(matrix)

    def nearest(self, targets: Floats, n: int) -> list[Found]:
        """See `Search`. Memory beyond the matrix is bounded, whatever the number of queries."""
        found: list[Found] = []
        together = max(1, SCORES // max(1, len(self.matrix)))
        for first in range(0, len(targets), together):
            block = targets[first : first + together]
            scores = block @ self.matrix.T  # (queries, rows)
            scores /= self.lengths
            found += [
                self._sorted(_candidates(row, n), target[None], n) for row, target in zip(scores, block, strict=True)
            ]
        return found

    def combined(self, targets: Floats, n: int, combine: Combine) -> Found:
        """The `n` rows with the largest `combine(cosines)`, which makes (rows,) of (targets, rows)."""
        scores = targets @ self.matrix.T
        scores /= self.lengths
        return self._sorted(_candidates(combine(scores), n), targets, n, combine)

    def among(self, rows: NDArray[np.int64], target: Floats, n: int) -> Found:
        """The `n` best of `rows`."""
        return self._sorted(rows, target[None], n)

    def _sorted(self, rows: NDArray[np.int64], targets: Floats, n: int, combine: Combine | None = None) -> Found:
        cosines = np.empty((len(targets), len(rows)))
        together = max(1, GATHERED // self.matrix.shape[1])
        for first in range(0, len(rows), together):
            part = rows[first : first + together]
            gathered = self.matrix[part].astype(np.float64)
            for i, target in enumerate(targets):
                # A sum along rows and not a product with BLAS, whose last bit depends on where a row stands.
                cosines[i, first : first + together] = (gathered * target).sum(axis=1) / self.lengths[part]
        scores = cosines[0] if combine is None else combine(cosines).astype(np.float64)
        order = np.lexsort((rows, -scores))[:n]
        return Found(rows[order], scores[order])


def _candidates(scores: NDArray[np.floating], n: int) -> NDArray[np.int64]:
    """Rows that may be among the `n` best."""
    if n >= len(scores):
        return np.arange(len(scores))
    last = np.partition(scores, -n)[-n]
    return np.flatnonzero(scores >= last - SLACK * max(1.0, abs(float(last)))).astype(np.int64)


class Approximate:
    """A graph of near rows (HNSW, Malkov and Yashunin 2018; `usearch`) walked instead of comparing with all.

    It may miss a near row; those found have their exact cosines. Where too few are found, all rows are compared. Of
    vectors that are hardly trained and all point one way (mean cosine near 1) it misses many.
    """

    CONNECTIONS, WIDTH_BUILDING, WIDTH_ASKING = 16, 128, 256

    def __init__(self, exact: Exact, index: Index) -> None:
        self.exact = exact
        self._index = index

    @classmethod
    def build(cls, exact: Exact, threads: int = 0) -> Self:
        """A graph over the rows of `exact`.

        Args:
            exact: What is to be searched.
            threads: 0 for all cores, which make another graph each time; 1 always makes the same.
        """
        index = _empty(exact)
        count = len(exact.matrix)
        together = max(1, GATHERED // exact.matrix.shape[1])
        with Meter("index", count, "words") as meter:
            for first in range(0, count, together):
                rows = np.arange(first, min(first + together, count))
                index.add(rows, exact.matrix[rows] / exact.lengths[rows, None], threads=threads)
                meter.advance(len(rows))
        return cls(exact, index)

    def save(self, path: Path) -> None:
        """Write the graph, with the digest of the vectors that it is of."""
        graph = self._index.save()
        if graph is None:
            raise RuntimeError("usearch returned no graph")
        data = np.frombuffer(graph, dtype=np.uint8)
        # One key: the order of several changes from process to process, and the bytes with it.
        write_atomic(path, save({"graph": data}, metadata={"of": f"{_digest(self.exact)} {_sha256(data)}"}))

    @classmethod
    def load(cls, path: Path, exact: Exact) -> Self:
        """Read what `save` wrote.

        Raises:
            FirthError: not such a file, torn, or of other vectors.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                about = file.metadata() or {}
                graph = file.get_tensor("graph") if "graph" in file.keys() else None  # noqa: SIM118 - not a dict
        except (SafetensorError, OSError) as error:
            raise IntegrityError(f"{path}: torn or not an index of vectors ({error})") from None
        if graph is None or "of" not in about:
            raise FirthError(f"{path}: not an index of vectors")
        vectors, _, bytes_digest = about["of"].rpartition(" ")
        if bytes_digest != _sha256(graph):
            raise IntegrityError(f"{path}: not the bytes that were written; remove it")  # walking it could crash
        if vectors != _digest(exact):
            raise FirthError(f"{path}: an index of other vectors; remove it, or name another file")
        index = _empty(exact)
        index.load(graph.tobytes())
        return cls(exact, index)

    def nearest(self, targets: Floats, n: int) -> list[Found]:
        """See `Search`."""
        count = len(self.exact.matrix)
        wanted = min(n, count)
        self._index.expansion_search = max(self.WIDTH_ASKING, 2 * wanted)  # type: ignore[misc]  # it has a setter
        found: list[Found] = []
        for target in targets:
            matches = self._index.search(target, min(count, wanted + 10))
            rows = np.sort(np.asarray(matches.keys).astype(np.int64))
            if len(rows) < wanted:
                found += self.exact.nearest(target[None], n)
            else:
                found.append(self.exact.among(rows, target, n))
        return found


def _empty(exact: Exact) -> Index:
    from usearch.index import Index

    return Index(
        ndim=exact.matrix.shape[1],
        metric="cos",
        dtype="f32",
        connectivity=Approximate.CONNECTIONS,
        expansion_add=Approximate.WIDTH_BUILDING,
        expansion_search=Approximate.WIDTH_ASKING,
    )


def _digest(exact: Exact) -> str:
    return f"{exact.matrix.shape} {_sha256(exact.matrix)}"


def _sha256(numbers: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(numbers).data).hexdigest()
