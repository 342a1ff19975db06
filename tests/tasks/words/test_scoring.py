"""Vectors scored on any files: the same figures as gensim and scipy, and words outside the vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firth.tasks.words.readers import Pair
from firth.tasks.words.scoring import AnalogyFile, SimilarityFile, analogy_result, similarity_result
from firth.tasks.words.similarity import score_similarity

QUESTIONS = """: family
{0} {1} {2} {3}
{4} {5} {6} {7}
{0} {1} {4} {5}
: capital-world
{8} {9} {10} {11}
{8} {9} {12} {13}
{8} {9} {12} nowhere
: gram1-adjective-to-adverb
{14} {15} {16} {17}
{18} {19} {20} {21}
{14} {15} {18} {19}
"""


def planted() -> tuple[list[str], np.ndarray, bytes]:
    """Words in pairs a fixed step apart, more or less, so that some questions have the right answer."""
    generator = np.random.default_rng(11)
    words = [f"w{i}" for i in range(60)]
    matrix = generator.normal(size=(60, 12)).astype(np.float32)
    step = generator.normal(size=12) * 2
    for row in range(0, 22, 2):
        matrix[row + 1] = matrix[row] + step + generator.normal(size=12) * 0.8
    return words, matrix, QUESTIONS.format(*(word.capitalize() for word in words[:22])).encode()


@pytest.mark.parametrize("restrict", [60, 20, 13])
def test_analogies_by_section_equal_gensims(tmp_path: Path, restrict: int) -> None:
    from gensim.models import KeyedVectors

    words, matrix, data = planted()
    path = tmp_path / "questions.txt"
    path.write_bytes(data)
    found = analogy_result(
        words, matrix, AnalogyFile.parse(data, path), restrict_vocabulary=restrict, bootstrap=100, seed=1
    )
    theirs = KeyedVectors(vector_size=12)
    theirs.add_vectors(words, matrix)
    accuracy, sections = theirs.evaluate_word_analogies(str(path), restrict_vocab=restrict)
    right = {part["section"]: len(part["correct"]) for part in sections[:-1]}
    asked = {part["section"]: right[part["section"]] + len(part["incorrect"]) for part in sections[:-1]}
    assert {name: part["correct"] for name, part in found["sections"].items()} == right
    assert {name: part["covered"] for name, part in found["sections"].items()} == asked
    assert found["score"] == pytest.approx(accuracy, abs=1e-6)
    assert (found["total"], len(found["sections"])) == (9, 3)
    assert found["groups"]["semantic"]["total"] == 6 and found["groups"]["syntactic"]["total"] == 3
    assert sum(right.values()) > 0


def test_candidates_in_pieces_give_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    words, matrix, data = planted()
    words = [*words, "W3", "W1", "w2 "]
    matrix = np.vstack([matrix, matrix[3], matrix[1] * 2, matrix[2]])
    asked = AnalogyFile.parse(data, "questions.txt")
    whole = analogy_result(words, matrix, asked, restrict_vocabulary=63, bootstrap=100, seed=1)
    monkeypatch.setattr("firth.tasks.words.analogies.CANDIDATES", 7)
    assert analogy_result(words, matrix, asked, restrict_vocabulary=63, bootstrap=100, seed=1) == whole


def test_similarity_equals_scipys_and_counts_what_is_outside() -> None:
    from scipy.stats import spearmanr

    words, matrix, _ = planted()
    generator = np.random.default_rng(3)
    picks = generator.integers(0, 60, (40, 2))
    lines = [f"{words[a].upper()}\t{words[b]}\t{generator.integers(0, 10)}" for a, b in picks]
    data = "\n".join([*lines, "w1\tunicorn\t3", "Unicorn\tgriffin\t4"]).encode()
    found = similarity_result(words, matrix, SimilarityFile.parse(data, "own.tsv"), bootstrap=200, seed=1)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    human = [float(line.split("\t")[2]) for line in lines]
    expected = spearmanr(human, [float(unit[a] @ unit[b]) for a, b in picks]).statistic
    assert found["score"] == pytest.approx(expected, abs=1e-6)
    assert found["low"] < found["score"] < found["high"]
    assert (found["covered"], found["total"], found["composed"]) == (40, 42, 0)
    assert found["unknown"] == ["unicorn", "griffin"]
    assert found["out_of_vocabulary"] == pytest.approx(2 / 42, abs=1e-6)


def test_words_outside_the_vocabulary_are_scored_when_their_vectors_can_be_made() -> None:
    words, matrix = ["man", "woman", "king"], np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32)
    pairs = [Pair("man", "king", 1), Pair("man", "kings", 2), Pair("Kings", "king", 3), Pair("man", "x", 4)]
    asked: list[str] = []

    def compose(word: str) -> np.ndarray | None:
        asked.append(word)
        return None if word == "x" else np.array([0, 5], dtype=np.float32)

    found = score_similarity(words, matrix, pairs, bootstrap=100, seed=1, compose=compose)
    assert asked == ["kings", "x"]
    assert found.cosines == [0.0, 0.0, 1.0, None]
    assert (found.covered, found.composed, found.unknown) == (3, 2, ["kings", "x"])
    plain = score_similarity(words, matrix, pairs, bootstrap=100, seed=1)
    assert (plain.covered, plain.composed, plain.cosines[2]) == (1, 0, None)


@pytest.mark.parametrize("candidates", [3, 7, 100])
def test_of_equally_near_words_the_most_frequent_is_the_answer(
    candidates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firth.tasks.words.analogies.CANDIDATES", candidates)
    words = [f"w{row}" for row in range(10)]
    matrix = np.zeros((10, 4), dtype=np.float32)
    matrix[[0, 1, 2], [0, 1, 2]] = 1
    matrix[[5, 8], 1] = 1  # as near to w1 - w0 + w2 as each other, to the last bit
    asked = AnalogyFile.parse(b": family\nw0 w1 w2 w5\n", "questions.txt")
    found = analogy_result(words, matrix, asked, restrict_vocabulary=10, bootstrap=100, seed=1)
    assert found["score"] == 1.0
