"""The antonym study on vectors built so that the answer is known, and the list it asks about."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from firth.canonical import dumps
from firth.errors import DataError
from firth.tasks.words.antonyms import antonym_study, cosines, ranks
from firth.tasks.words.lexicon import Lexicon
from firth.tasks.words.opposites import TRIPLES, Triple

DIM = 40


def planted(near: str, far: str, strangers: int = 300) -> tuple[list[str], np.ndarray]:
    """Each word of the list close to its `near` partner, its `far` partner anywhere; then words without a relation."""
    generator = np.random.default_rng(5)
    own = list(dict.fromkeys(word for triple in TRIPLES for word in triple[1:]))
    words = own + [f"stranger{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(strangers)]
    matrix = generator.normal(size=(len(words), DIM)).astype(np.float32)
    place = {word: row for row, word in enumerate(words)}
    for triple in TRIPLES:
        row = matrix[place[triple.word]]
        matrix[place[getattr(triple, near)]] = row + 0.2 * generator.normal(size=DIM)
        assert getattr(triple, far) in place
    return words, matrix


def test_the_list_is_large_and_no_pair_occurs_twice() -> None:
    pairs = [frozenset(pair) for t in TRIPLES for pair in ((t.word, t.antonym), (t.word, t.synonym))]
    assert all(len(pair) == 2 for pair in pairs)
    assert [pair for pair, times in Counter(pairs).items() if times > 1] == []
    assert len(TRIPLES) >= 60
    assert {triple.part for triple in TRIPLES} == {"adjective", "adverb", "noun", "verb"}
    assert all(word == word.lower() and word.isalpha() for triple in TRIPLES for word in triple[1:])


@pytest.mark.parametrize(("near", "far", "sign"), [("antonym", "synonym", 1), ("synonym", "antonym", -1)])
def test_what_is_planted_near_is_found_near(near: str, far: str, sign: int) -> None:
    words, matrix = planted(near, far)
    found = antonym_study(words, matrix, bootstrap=200, seed=1)
    kinds = found["kinds"]
    assert found["covered"] == found["triples"] == len(TRIPLES)
    assert kinds[near]["low"] <= kinds[near]["mean"] <= kinds[near]["high"]
    assert kinds[near]["low"] > 0.5 > kinds[far]["high"]
    assert kinds["random"]["low"] < 0.02 and kinds["random"]["high"] > -0.02
    assert kinds["random"]["pairs"] == len(found["random"]) == 4 * len(TRIPLES)
    assert kinds[near]["near"] > 0.8 * len(TRIPLES) > 0.4 * len(TRIPLES) > kinds[far]["near"]
    assert sign * found["difference"]["low"] > 0 and sign * found["difference"]["high"] > 0


def test_opposites_and_synonyms_alike_are_not_told_apart() -> None:
    words = list(dict.fromkeys(word for triple in TRIPLES for word in triple[1:]))
    told_apart = 0
    for seed in range(20):  # one interval in twenty does not hold what it should
        matrix = np.random.default_rng(seed).normal(size=(len(words), DIM)).astype(np.float32)
        found = antonym_study(words, matrix, bootstrap=100, seed=1)["difference"]
        told_apart += not found["low"] <= 0 <= found["high"]
    assert told_apart <= 4


def test_ranks_are_those_of_a_plain_sort() -> None:
    words, matrix = planted("antonym", "synonym", strangers=60)
    lexicon = Lexicon.of(words, matrix)
    generator = np.random.default_rng(0)
    firsts = generator.integers(0, len(words), 40)
    seconds = (firsts + generator.integers(1, len(words), 40)) % len(words)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    for first, second, rank, cosine in zip(
        firsts, seconds, ranks(lexicon, firsts, seconds), cosines(lexicon, firsts, seconds), strict=True
    ):
        order = [row for row in np.argsort(-(unit @ unit[first])) if row != first]
        assert rank == order.index(second) + 1
        assert cosine == pytest.approx(float(unit[first] @ unit[second]), abs=1e-5)


def test_the_vocabulary_in_pieces_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    words, matrix = planted("synonym", "antonym")
    whole = antonym_study(words, matrix, bootstrap=100, seed=3)
    monkeypatch.setattr("firth.tasks.words.antonyms.WORDS_AT_ONCE", 37)
    assert dumps(antonym_study(words, matrix, bootstrap=100, seed=3)) == dumps(whole)
    assert antonym_study(words, matrix, bootstrap=100, seed=4)["random"] != whole["random"]


def test_a_triple_counts_only_as_a_whole() -> None:
    triples = [Triple("noun", "war", "peace", "conflict"), Triple("verb", "buy", "sell", "purchase")]
    words = ["the", "War", "peace", "conflict", "buy", "sell"]
    found = antonym_study(words, np.eye(6, 3, dtype=np.float32) + 0.1, bootstrap=100, seed=1, triples=triples)
    assert (found["triples"], found["covered"]) == (2, 1)
    first, second = found["rows"]
    assert set(first) == {"part", "word", "antonym", "synonym", "cosine", "rank", "rank_back"}
    assert second == {"part": "verb", "word": "buy", "antonym": "sell", "synonym": "purchase", "missing": ["purchase"]}


def test_random_pairs_are_as_frequent_as_the_words_they_stand_for() -> None:
    triples = [Triple("noun", "war", "peace", "conflict")]
    words = [f"w{'abcdefghij'[i // 100 % 10]}{'abcdefghij'[i // 10 % 10]}{'abcdefghij'[i % 10]}" for i in range(1000)]
    words[500:503] = ["war", "peace", "conflict"]
    words[0] = "2020"
    matrix = np.ones((1000, 2), dtype=np.float32)
    matrix[334:751, 1] = -1  # the band of row 500
    found = antonym_study(words, matrix, bootstrap=100, seed=1, triples=triples)
    assert found["random"] == [1.0] * 4  # all four pairs inside


def test_a_vocabulary_with_none_of_the_words_gives_no_numbers() -> None:
    found = antonym_study(["x", "y"], np.eye(2, dtype=np.float32), bootstrap=100, seed=1)
    assert found["covered"] == 0
    assert found["kinds"]["antonym"] == {
        "pairs": 0, "mean": None, "low": None, "high": None, "near": 0, "frequency_rank": None,
    }  # fmt: skip
    assert found["difference"]["mean"] is None and found["random"] == []
    dumps(found)


def test_vectors_that_are_not_numbers_are_refused() -> None:
    words, matrix = planted("antonym", "synonym", strangers=0)
    matrix[3, 1] = np.inf
    with pytest.raises(DataError, match=f"{words[3]!r} is not finite"):
        antonym_study(words, matrix, bootstrap=100, seed=1)
