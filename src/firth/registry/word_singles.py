"""What word vectors answered question by question and pair by pair: the word suites' part of `registry.singles`.

A vocabulary answers what it covers, so two models are scored on their own parts of a resample, as their scores are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firth.canonical import read_json
from firth.errors import DataError
from firth.registry.singles import Singles, in_order
from firth.tasks.measures.correlations import Spearman
from firth.tasks.measures.measures import Counts, Measure, Score, mean_of
from firth.tasks.words.lexicon import fold

FOLDER = Path("data/tasks/words")


def of_stage(root: Path, suite: str, model: str) -> Singles:
    """Of what the stage `word-tasks` left in the project folder `root`.

    Raises:
        DataError: it left no predictions.
    """
    results = read_json(root / FOLDER / "results.json")
    return of(suite, results["digests"][suite], results["models"][model], _records(root, suite, model))


def of(suite: str, digest: str, summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> Singles:
    """Of the records of `suite`, whose file has the sha256 `digest`: right or not, or the cosine; None: not covered.

    One seed: other vectors of the same recipe are not asked.
    """
    answers = {str(number): _answer(record) for number, record in enumerate(records)}
    return Singles(suite, digest, (float(summary[suite]["score"] or 0.0),), answers)


def scores(root: Path, suite: str, answered: Sequence[Singles]) -> list[Score]:
    """The score of each of `answered`, over the questions or pairs of the suite's file.

    Raises:
        DataError: they are answers to another file than that of `root`.
    """
    results = read_json(root / FOLDER / "results.json")
    if any(singles.dev != results["digests"][suite] for singles in answered):
        raise DataError(f"not the file of {suite} that both models have answered; run the stage word-tasks", FOLDER)
    human: Counts | None = None
    if suite != "analogies":
        human = np.array([record["human"] for record in _records(root, suite, next(iter(results["models"])))], float)
    return [_score(in_order(singles), human) for singles in answered]


@dataclass(frozen=True, eq=False)
class Covered(Score):
    """A score of some of the examples, where the others have no answer: `numbers` (covered,) says which have."""

    inner: Score
    numbers: np.ndarray[Any, np.dtype[np.int64]]
    examples: int

    def __len__(self) -> int:
        return self.examples

    def under(self, weights: Counts) -> Counts:
        """The inner score under the weights of what is covered; 0 where nothing of it is in a resample."""
        if not len(self.numbers):
            return np.zeros(len(weights))
        inside = weights[:, self.numbers]
        empty = inside.sum(axis=1) == 0
        found: Counts = np.where(empty, 0.0, self.inner.under(np.where(empty[:, None], 1.0, inside)))
        return found

    def each(self) -> list[float]:
        """What each covered example adds; 0 for the others."""
        each = np.zeros(self.examples)
        each[self.numbers] = self.inner.each()
        return [float(value) for value in each]


def _score(answers: Sequence[bool | float | None], human: Counts | None) -> Score:
    numbers = np.array([number for number, answer in enumerate(answers) if answer is not None], dtype=np.int64)
    given = np.array([answers[number] for number in numbers], dtype=np.float64)
    if human is None:
        inner: Score = Measure(np.stack([given, np.ones(len(given))], axis=1), mean_of)
    else:
        inner = Spearman(human[numbers], given)
    return Covered(inner, numbers, len(answers))


def _answer(record: Mapping[str, Any]) -> bool | float | None:
    if record["suite"] != "analogies":
        return None if record["cosine"] is None else float(record["cosine"])
    return None if record["predicted"] is None else fold(record["predicted"]) == fold(record["expected"])


def _records(root: Path, suite: str, model: str) -> list[dict[str, Any]]:
    path = root / FOLDER / f"predictions-{model}.jsonl"
    if not path.is_file():
        raise DataError("missing; run the stage word-tasks first", path)
    return list(records_of(path.read_text(encoding="utf-8").split("\n"), suite))


def records_of(lines: Sequence[str], suite: str) -> Iterator[dict[str, Any]]:
    """Those of `suite` among JSON lines, in their order."""
    for line in lines:
        if line and (record := json.loads(line))["suite"] == suite:
            yield record
