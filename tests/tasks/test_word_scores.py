"""Scores: small cases worked by hand, properties, and equality with scipy and gensim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.config.evaluation import TaskFiles, WordTasks
from firth.errors import DataError
from firth.tasks.bootstrap import accuracy_interval, rank_correlation, rank_interval
from firth.tasks.words.analogies import Tally, score_analogies
from firth.tasks.words.readers import Pair, Question
from firth.tasks.words.similarity import score_similarity
from firth.tasks.words.suites import SUITES, TaskSet, score_words
from firth.wheels import fetch_package_file

WORDS = ["man", "woman", "king", "queen", "apple"]
PLANE = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [-1, 0, 0]], dtype=np.float32)


def answer(words: list[str], matrix: np.ndarray, *questions: Question, restrict: int = 100):
    return score_analogies(words, matrix, list(questions), restrict_vocabulary=restrict, bootstrap=100, seed=1)


def test_the_textbook_analogy() -> None:
    found = answer(WORDS, PLANE, Question("family", "Man", "Woman", "King", "Queen"))
    assert found.score == 1.0
    assert found.predictions == ["queen"]
    assert found.sections == {"family": Tally(1, 1, 1)}
    assert found.groups == {"semantic": Tally(1, 1, 1), "syntactic": Tally(0, 0, 0)}


def test_question_words_are_no_candidates_in_any_case() -> None:
    # "KING" has the very direction of the target and would win if only the row of "king" were left out
    target = PLANE[1] / np.linalg.norm(PLANE[1]) - PLANE[0] + PLANE[2] / np.linalg.norm(PLANE[2])
    words, matrix = [*WORDS, "KING"], np.vstack([PLANE, target]).astype(np.float32)
    assert answer(words, matrix, Question("family", "man", "woman", "king", "queen")).predictions == ["queen"]


def test_words_outside_the_restricted_vocabulary_are_not_covered() -> None:
    question = Question("gram1", "man", "woman", "king", "queen")
    found = answer(WORDS, PLANE, question, Question("family", "man", "woman", "boy", "girl"), restrict=3)
    assert found.score is None
    assert found.interval is None
    assert found.predictions == [None, None]
    assert found.tally == Tally(0, 0, 2)
    assert answer(WORDS, PLANE, question, restrict=4).groups["syntactic"] == Tally(1, 1, 1)


def test_blocks_do_not_change_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    words = [f"w{number}" for number in range(60)]
    matrix = rng.normal(size=(60, 8)).astype(np.float32)
    questions = [Question("s", *rng.choice(words, 4, replace=False)) for _ in range(50)]
    whole = answer(words, matrix, *questions).predictions
    monkeypatch.setattr("firth.tasks.words.analogies.BLOCK", 7)
    assert answer(words, matrix, *questions).predictions == whole


def test_vectors_that_are_not_numbers_are_refused() -> None:
    broken = PLANE.copy()
    broken[3, 1] = np.nan
    with pytest.raises(DataError, match="'queen' is not finite"):
        answer(WORDS, broken, Question("family", "man", "woman", "king", "queen"))
    with pytest.raises(DataError, match="5 words but 4 vectors"):
        answer(WORDS, PLANE[:4], Question("family", "man", "woman", "king", "queen"))


def test_similarity_counts_what_is_covered() -> None:
    pairs = [Pair("Man", "woman", 9), Pair("man", "king", 9), Pair("man", "apple", 1), Pair("man", "unicorn", 5)]
    found = score_similarity(WORDS, PLANE, pairs, bootstrap=200, seed=1)
    assert (found.covered, found.total) == (3, 4)
    assert found.cosines[3] is None
    assert found.score == pytest.approx(1.0)
    nothing = score_similarity(WORDS, PLANE, [Pair("a", "b", 1), Pair("c", "d", 2)], bootstrap=200, seed=1)
    assert (nothing.score, nothing.interval, nothing.covered) == (None, None, 0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=40))
def test_rank_correlation_equals_scipys(points: list[tuple[int, int]]) -> None:
    from scipy.stats import spearmanr

    first, second = np.array(points, dtype=float).T
    if len(set(first)) < 2 or len(set(second)) < 2:
        assert rank_correlation(first, second) is None
    else:
        assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 500), st.integers(0, 2**32 - 1), st.data())
def test_accuracy_interval_holds_the_accuracy(covered: int, seed: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, covered))
    low, high = accuracy_interval(correct, covered, 1000, seed)
    assert 0 <= low <= correct / covered <= high <= 1
    assert (low, high) == accuracy_interval(correct, covered, 1000, seed)


def test_rank_interval_is_what_resampling_one_by_one_gives() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    first = rng.normal(size=60)
    second = first + rng.normal(size=60)
    picks = np.random.default_rng(5).integers(0, 60, (300, 60))
    slow = [spearmanr(first[row], second[row]).statistic for row in picks]
    interval = rank_interval(first, second, 300, 5)
    assert interval is not None
    assert tuple(interval) == pytest.approx(tuple(np.percentile(slow, [2.5, 97.5])), abs=1e-12)
    assert rank_interval(first, second, 300, 6) != interval


GENSIM = TaskFiles(
    package="gensim",
    version="4.4.0",
    sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
    platforms=["manylinux_2_24_x86_64", "manylinux_2_28_x86_64"],
    python_version="3.11",
    analogies="gensim/test/test_data/questions-words.txt",
    wordsim353="gensim/test/test_data/wordsim353.tsv",
    simlex999="gensim/test/test_data/simlex999.txt",
)


def task_file(suite: str) -> bytes:
    return fetch_package_file(
        GENSIM.package,
        GENSIM.version,
        GENSIM.sha256,
        getattr(GENSIM, suite),
        platforms=GENSIM.platforms,
        python_version=GENSIM.python_version,
    )


@pytest.mark.slow
@pytest.mark.registry
def test_scores_equal_gensims(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    tasks = TaskSet.fetch(GENSIM)
    paths = {suite: tmp_path / suite for suite in SUITES}
    for suite, path in paths.items():
        path.write_bytes(task_file(suite))
    assert [len(tasks.questions), *(len(tasks.pairs[suite]) for suite in SUITES[1:])] == [19544, 353, 999]
    rng = np.random.default_rng(7)
    # Words of the suites in mixed case; pairs share a direction so that some answers are right.
    words: list[str] = []
    for question in tasks.questions[:2500:3] + tasks.questions[8400:9400]:
        words += [word for word in (question.a, question.b, question.c, question.expected) if word not in words]
    for suite in SUITES[1:]:
        words += [word for pair in tasks.pairs[suite][::2] for word in (pair.first, pair.second) if word not in words]
    words = [*dict.fromkeys(words), "KING", "athens"]
    matrix = rng.normal(size=(len(words), 20)).astype(np.float32)
    offset = rng.normal(size=20).astype(np.float32) * 2
    place = {word: row for row, word in enumerate(words)}
    for question in tasks.questions:
        if question.c in place and question.expected in place and rng.random() < 0.3:
            noise = rng.normal(size=20).astype(np.float32) / 4  # no two words with one vector: those are ties
            matrix[place[question.expected]] = matrix[place[question.c]] + offset + noise
    settings = WordTasks(files=GENSIM, restrict_vocabulary=len(words) - 100, bootstrap=200)
    found = score_words(words, matrix, tasks, settings)

    theirs = KeyedVectors(vector_size=20)
    theirs.add_vectors(words, matrix)
    accuracy, sections = theirs.evaluate_word_analogies(
        str(paths["analogies"]), restrict_vocab=settings.restrict_vocabulary
    )
    ours = {name: (part.correct, part.covered) for name, part in found.analogies.sections.items()}
    assert ours == {
        part["section"]: (len(part["correct"]), len(part["correct"]) + len(part["incorrect"])) for part in sections[:-1]
    }
    assert found.analogies.score == accuracy
    assert 0 < accuracy < 1
    for suite in SUITES[1:]:
        _, spearman, missing = theirs.evaluate_word_pairs(str(paths[suite]))
        part = found.similarity[suite]
        assert part.score == pytest.approx(spearman.statistic, abs=1e-6)
        assert 100 * (1 - part.covered / part.total) == pytest.approx(missing)
