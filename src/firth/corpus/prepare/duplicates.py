"""Exact and near duplicates: equal texts by their digest, similar ones by MinHash, each verified before it counts."""

from __future__ import annotations

import io
import re
import tempfile
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash, RMinHashLSH

from firth.textkeys import normalised, text_digest

EXACT = "duplicate"
NEAR = "near-duplicate"
RECALL = 0.999
"""Smallest chance that a pair as similar as the threshold is compared at all."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_WORD = re.compile(r"\w+")


class Duplicates:
    """Says of each text, in order, whether an earlier one that was kept is its duplicate.

    Memory holds a digest for every text that was kept and a signature's bands for every one that is long enough; the
    shingles, by which a suspected pair is verified, lie in a temporary file. The answer depends on the texts and their
    order alone.

    Args:
        similarity: Jaccard similarity of the shingle sets from which two texts are near-duplicates.
        shingle_words: words in a shingle; a shorter text is one shingle.
        permutations: length of a signature.
        seed: of the signatures.
        near: whether near-duplicates are looked for at all.
    """

    def __init__(
        self, *, similarity: float, shingle_words: int, permutations: int, seed: int, near: bool = True
    ) -> None:
        self._similarity, self._shingle_words = similarity, shingle_words
        self._permutations, self._seed, self._near = permutations, seed, near
        self._exact: dict[bytes, str] = {}
        self._ids: list[str] = []
        self._places: list[tuple[int, int]] = []
        self._lsh = RMinHashLSH(threshold=similarity, num_perm=permutations, num_bands=bands(permutations, similarity))

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile(prefix="firth-shingles-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def seen(self, doc_id: str, text: str) -> tuple[str, str] | None:
        """The reason (`EXACT` or `NEAR`) and the id of the earlier text, or None: then `text` is kept from now on."""
        digest = text_digest(text)[:16]
        if (earlier := self._exact.get(digest)) is not None:
            return EXACT, earlier
        if self._near:
            shingles = shingle_hashes(text, self._shingle_words)
            signature = _signature(shingles, self._permutations, self._seed)
            for candidate in sorted(self._lsh.query(signature)) if len(shingles) else []:
                if jaccard(shingles, self._stored(candidate)) >= self._similarity:
                    return NEAR, self._ids[candidate]
            if len(shingles):
                self._lsh.insert(len(self._ids), signature)
            self._store(doc_id, shingles)
        self._exact[digest] = doc_id
        return None

    def _store(self, doc_id: str, shingles: NDArray[np.uint64]) -> None:
        offset = self._file.seek(0, io.SEEK_END)
        self._file.write(shingles.tobytes())
        self._ids.append(doc_id)
        self._places.append((offset, len(shingles)))

    def _stored(self, index: int) -> NDArray[np.uint64]:
        offset, count = self._places[index]
        self._file.seek(offset)
        return np.frombuffer(self._file.read(8 * count), np.uint64)


def bands(permutations: int, similarity: float) -> int:
    """Bands of the LSH index: as few (and long) as still find a pair of that similarity with chance `RECALL`."""
    for rows in range(permutations, 1, -1):
        count, rest = divmod(permutations, rows)
        if not rest and 1.0 - (1.0 - similarity**rows) ** count >= RECALL:
            return count
    return permutations


def shingle_hashes(text: str, words: int) -> NDArray[np.uint64]:
    """The distinct hashes, sorted, of the runs of `words` words of `text`; case and punctuation do not count."""
    tokens = _WORD.findall(normalised(text))
    if not tokens:
        return np.empty(0, np.uint64)
    hashes = np.array(RMinHash.hash_token_sets([tokens])[0], np.uint64)
    length = min(words, len(tokens))
    rolled = np.zeros(len(tokens) - length + 1, np.uint64)
    for place in range(length):
        rolled = rolled * _BASE + hashes[place : place + len(rolled)]
    return np.unique(rolled)


def jaccard(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> float:
    """|A ∩ B| / |A ∪ B| of two sorted arrays of distinct hashes."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / max(1, len(left) + len(right) - common)


def _signature(shingles: NDArray[np.uint64], permutations: int, seed: int) -> RMinHash:
    data = shingles.tobytes()
    signature = RMinHash(num_perm=permutations, seed=seed)
    signature.update([data[at : at + 8] for at in range(0, len(data), 8)])
    return signature
