"""Any vectors on any files: analogies and similarity judgements, as one JSON value."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.tasks.words.analogies import score_analogies
from firth.tasks.words.readers import Pair, Question, parse_analogies, parse_pairs
from firth.tasks.words.similarity import Compose, score_similarity
from firth.tasks.words.suites import DIGITS, numbers, tally


@dataclass(frozen=True)
class AnalogyFile:
    """Questions, and the file that they come from."""

    file: str
    sha256: str
    questions: list[Question]

    @classmethod
    def parse(cls, data: bytes, file: Path | str) -> AnalogyFile:
        """Of a file's bytes; `DataError` with file and line where they cannot be used."""
        return cls(str(file), hashlib.sha256(data).hexdigest(), parse_analogies(data, file))


@dataclass(frozen=True)
class SimilarityFile:
    """Pairs of words that people judged, and the file that they come from."""

    file: str
    sha256: str
    pairs: list[Pair]

    @classmethod
    def parse(cls, data: bytes, file: Path | str) -> SimilarityFile:
        """Of a file's bytes; `DataError` with file and line where they cannot be used."""
        return cls(str(file), hashlib.sha256(data).hexdigest(), parse_pairs(data, file))


def analogy_result(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    asked: AnalogyFile,
    *,
    restrict_vocabulary: int,
    bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    """Answers by 3CosAdd among the `restrict_vocabulary` most frequent words; `matrix` is (words, dim).

    Returns:
        `{"file", "sha256", "score", "low", "high", "covered", "total", "sections", "groups"}`: accuracy over the
        covered questions with its 95% interval, and `{name: {"correct", "covered", "total"}}` by section and by kind
        (semantic, syntactic).
    """
    found = score_analogies(
        words, matrix, asked.questions, restrict_vocabulary=restrict_vocabulary, bootstrap=bootstrap, seed=seed
    )
    return {
        "file": asked.file,
        "sha256": asked.sha256,
        **numbers(found.score, found.interval, found.tally.covered, found.tally.total),
        "sections": {name: tally(part) for name, part in found.sections.items()},
        "groups": {name: tally(part) for name, part in found.groups.items()},
    }


def similarity_result(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    asked: SimilarityFile,
    *,
    bootstrap: int,
    seed: int,
    compose: Compose | None = None,
) -> dict[str, Any]:
    """Spearman's rho with people's judgements; `matrix` is (words, dim), `compose` as in `score_similarity`.

    Returns:
        `{"file", "sha256", "score", "low", "high", "covered", "total", "out_of_vocabulary", "composed", "unknown"}`:
        `out_of_vocabulary` is the share of pairs that have a word outside the vocabulary, `unknown` are those words;
        `composed` of the covered pairs are scored through n-grams.
    """
    found = score_similarity(words, matrix, asked.pairs, bootstrap=bootstrap, seed=seed, compose=compose)
    outside = found.total - found.covered + found.composed
    return {
        "file": asked.file,
        "sha256": asked.sha256,
        **numbers(found.score, found.interval, found.covered, found.total),
        "out_of_vocabulary": round(outside / found.total, DIGITS),
        "composed": found.composed,
        "unknown": found.unknown,
    }
