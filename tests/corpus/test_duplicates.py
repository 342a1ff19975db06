"""Duplicates are found, and a text that is merely alike never is one."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.corpus.prepare.duplicates import EXACT, NEAR, RECALL, Duplicates, bands, jaccard, shingle_hashes

WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ["l", "m", "nd", "rt", "st"]]


def finder(**changes):
    settings = {"similarity": 0.8, "shingle_words": 5, "permutations": 128, "seed": 1}
    return Duplicates(**(settings | changes))


def passage(seed: int, words: int = 200) -> list[str]:
    return random.Random(seed).choices(WORDS, k=words)


def sets(text: str, size: int) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[at : at + size]) for at in range(max(1, len(words) - size + 1))}


def test_equal_texts_differ_in_case_and_blanks_at_most():
    with finder() as found:
        assert found.seen("a", "The fox runs home today.") is None
        assert found.seen("b", "the  FOX runs\nhome today.") == (EXACT, "a")
        assert found.seen("c", "The fox runs home tomorrow.") is None


@pytest.mark.parametrize("changed", [1, 2, 4, 8, 16])
def test_the_threshold_is_the_true_similarity(changed):
    for seed in range(20):
        words = passage(seed)
        other = words.copy()
        for place in random.Random(seed).sample(range(len(words)), changed):
            other[place] = "changed"
        first, second = " ".join(words), " ".join(other)
        a, b = sets(first, 5), sets(second, 5)
        expected = (NEAR, "a") if len(a & b) / len(a | b) >= 0.8 else None
        with finder() as found:
            assert found.seen("a", first) is None
            assert found.seen("b", second) == expected


def test_the_first_one_is_kept_and_a_dropped_one_drops_nothing():
    words = passage(0)
    steps = [" ".join(words[at : at + 150]) for at in (0, 12, 24)]  # each is near the next, the last not near the first
    with finder() as found:
        assert found.seen("a", steps[0]) is None
        assert found.seen("b", steps[1]) == (NEAR, "a")
        assert found.seen("c", steps[2]) is None


def test_it_can_be_switched_off():
    first = " ".join(passage(0))
    with finder(near=False) as found:
        assert found.seen("a", first) is None
        assert found.seen("b", f"{first} more") is None
        assert found.seen("c", first) == (EXACT, "a")


def test_short_texts_and_texts_without_words():
    with finder() as found:
        assert [found.seen(str(n), text) for n, text in enumerate(["one two", "one three", "— — —", "… … …"])] == [
            None
        ] * 4
        assert found.seen("x", "One, two!") == (NEAR, "0")


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.7, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("permutations", [16, 100, 128, 256])
def test_bands_reach_the_recall_where_any_can(permutations, similarity):
    count = bands(permutations, similarity)
    rows, rest = divmod(permutations, count)
    assert rest == 0
    chance = 1 - (1 - similarity**rows) ** count
    assert chance >= RECALL or rows == 1


@given(
    st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd"), max_size=30), st.integers(1, 6)
)
def test_similarity_is_that_of_the_sets_of_shingles(left, right, size):
    if not left or not right:
        assert jaccard(shingle_hashes("", size), shingle_hashes(" ".join(right), size)) == 0
        return
    # A text shorter than a shingle is one shingle.
    a, b = (sets(" ".join(words), min(size, len(words))) for words in (left, right))
    found = jaccard(shingle_hashes(" ".join(left), size), shingle_hashes(" ".join(right), size))
    assert found == pytest.approx(len(a & b) / len(a | b))


def test_the_answers_are_the_same_every_time():
    def run():
        with finder() as found:
            rng = np.random.default_rng(3)
            return [found.seen(str(n), " ".join(passage(int(rng.integers(40))))) for n in range(80)]

    assert run() == run()
