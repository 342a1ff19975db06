"""Analogies by 3CosAdd (Mikolov et al. 2013b, section 4; Levy and Goldberg 2014, equation 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.progress import Meter
from firth.tasks.bootstrap import Interval, accuracy_interval
from firth.tasks.words.lexicon import Lexicon, fold
from firth.tasks.words.readers import SYNTACTIC_PREFIX, Question

BLOCK = 512
CANDIDATES = 32_768
"""Questions and candidates in one matrix product; fixed, so that the same input gives the same roundings. Their product
bounds the memory: 64 MiB of cosines, whatever the vocabulary.
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """Right answers, questions whose four words are in the vocabulary, and all questions."""

    correct: int
    covered: int
    total: int


@dataclass(frozen=True, slots=True)
class AnalogyScore:
    """Accuracy on the covered questions with its interval (None where nothing is covered), and tallies by section.

    `predictions` has one entry a question: the word answered, None where the question is not covered.
    """

    score: float | None
    interval: Interval | None
    tally: Tally
    sections: dict[str, Tally]
    groups: dict[str, Tally]
    predictions: list[str | None]


def score_analogies(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    questions: Sequence[Question],
    *,
    restrict_vocabulary: int,
    bootstrap: int,
    seed: int,
) -> AnalogyScore:
    """Answer `questions` with the `restrict_vocabulary` most frequent of `words`; `matrix` is (words, dim).

    The three question words are no candidates, in any case. Equal to gensim's `evaluate_word_analogies` up to ties in
    the last bit.
    """
    lexicon = Lexicon.of(words, matrix)
    unit = lexicon.unit(slice(0, restrict_vocabulary))
    located = [tuple(lexicon.row(word) for word in (q.a, q.b, q.c, q.expected)) for q in questions]
    covered = [
        number for number, rows in enumerate(located) if all(row is not None and row < len(unit) for row in rows)
    ]
    predictions: list[str | None] = [None] * len(questions)
    right: set[int] = set()
    with Meter("analogies", len(covered), "questions") as meter:
        for start in range(0, len(covered), BLOCK):
            block = covered[start : start + BLOCK]
            rows = np.array([located[number][:3] for number in block], dtype=np.int64)  # (block, 3)
            for number, answer in zip(block, _answer(unit, rows, lexicon.variants), strict=True):
                predictions[number] = lexicon.words[answer]
                if fold(lexicon.words[answer]) == fold(questions[number].expected):
                    right.add(number)
            meter.advance(len(block))
    sections: dict[str, Tally] = {}
    groups = {"semantic": Tally(0, 0, 0), "syntactic": Tally(0, 0, 0)}
    known = set(covered)
    for number, question in enumerate(questions):
        group = "syntactic" if question.section.startswith(SYNTACTIC_PREFIX) else "semantic"
        one = Tally(int(number in right), int(number in known), 1)
        sections[question.section] = _add(sections.get(question.section, Tally(0, 0, 0)), one)
        groups[group] = _add(groups[group], one)
    tally = _add(groups["semantic"], groups["syntactic"])
    score = tally.correct / tally.covered if tally.covered else None
    interval = accuracy_interval(tally.correct, tally.covered, bootstrap, seed) if tally.covered else None
    return AnalogyScore(score, interval, tally, sections, groups, predictions)


def _answer(
    unit: NDArray[np.float32], rows: NDArray[np.int64], variants: Mapping[int, Sequence[int]]
) -> NDArray[np.int64]:
    """Row of the word nearest to b - a + c for each (a, b, c) of `rows`; of equal ones the most frequent."""
    a, b, c = (unit[rows[:, column]] for column in range(3))  # (block, dim)
    target = b - a + c  # its length does not change the order
    # Question and row of every word that must not be the answer.
    barred = np.array(
        [(i, row) for i, asked in enumerate(rows.tolist()) for word in asked for row in (word, *variants.get(word, ()))]
    )
    here = np.arange(len(rows))
    nearest = np.full(len(rows), -np.inf, dtype=np.float32)
    answers = np.zeros(len(rows), dtype=np.int64)
    for start in range(0, len(unit), CANDIDATES):
        cosines = target @ unit[start : start + CANDIDATES].T  # (block, candidates)
        among = barred[(barred[:, 1] >= start) & (barred[:, 1] < start + cosines.shape[1])]
        cosines[among[:, 0], among[:, 1] - start] = -np.inf
        best = cosines.argmax(axis=1)
        better = cosines[here, best] > nearest
        nearest[better] = cosines[here, best][better]
        answers[better] = best[better] + start
    return answers


def _add(left: Tally, right: Tally) -> Tally:
    return Tally(left.correct + right.correct, left.covered + right.covered, left.total + right.total)
