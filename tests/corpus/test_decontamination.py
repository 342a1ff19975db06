"""Sentences that dev texts hold too are taken out: exactly those, whatever case, punctuation and sentence ends do."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.corpus.prepare.decontaminate import SHORTEST_WHOLE, DevTexts, words_of

DEV = (
    "The Oberon class was a large ship class of 27 diesel-electric submarines. It was built in the United Kingdom "
    "between 1957 and 1978, and based on the successful British Porpoise-class submarine."
)
ARTICLE = [
    "Submarines of several classes served in the navy after the war.",
    "the OBERON class was, a large ship-class of 27 “diesel electric” submarines!",
    "Most of them were sold in the nineties.",
    "As we know it was built in the united kingdom between 1957 and 1978 and based on an older design.",
    "It was built in the United Kingdom.",
]


def kept(sentences: list[str], texts: list[str], words: int = 13) -> list[str]:
    return DevTexts({"t": texts}, words).without(sentences)[0]


def test_sentences_that_share_a_run_go_and_no_others() -> None:
    left, taken = DevTexts({"qa": ["Nothing to see here at all, is there?"], "navy": [DEV]}, 13).without(ARTICLE)
    assert left == [ARTICLE[0], ARTICLE[2], ARTICLE[4]]
    assert [(match.sentence, match.task) for match in taken] == [(ARTICLE[1], "navy"), (ARTICLE[3], "navy")]


@pytest.mark.parametrize(("words", "gone"), [(12, [1, 3]), (13, [1, 3]), (14, [3]), (15, [])])
def test_a_run_has_the_words_that_were_asked_for(words: int, gone: list[int]) -> None:
    assert kept(ARTICLE, [DEV], words) == [sentence for at, sentence in enumerate(ARTICLE) if at not in gone]


def test_a_run_over_sentence_ends_takes_every_sentence_that_it_touches() -> None:
    split = ["He said so. The first of", "six words and", "the second of seven words here.", "Not this."]
    assert kept(split, ["the first of six words and the second of seven words here"], 13) == ["Not this."]
    assert kept(split, ["first of six words and the second of"], 7) == ["Not this."]
    assert kept(split, ["and the second of seven"], 5) == [split[0], split[3]]


def test_what_moves_together_is_looked_at_again() -> None:
    dev = "a b c d e f g h"
    assert kept(["x y a b c d", "a b c d e f g h", "e f g h z"], [dev], 8) == []


def test_short_dev_texts_count_as_a_whole_from_six_words_on() -> None:
    sentences = ["I wonder: is the sky blue at night, or not?", "Is the sky blue at noon?", "Is the sky blue?"]
    assert SHORTEST_WHOLE == 6
    assert kept(sentences, ["is the sky blue at night"]) == sentences[1:]
    assert kept(sentences, ["is the sky blue at"]) == sentences
    # Where runs are shorter than that, a text of that length counts.
    assert kept(sentences, ["is the sky blue at"], 4) == []


def test_characters_of_chinese_and_japanese_are_words() -> None:
    assert words_of("The 東京タワー of Straße") == ["the", *"東京タワ", "ー", "of", "strasse"]
    assert kept(["从前有一座山,山上有一座庙,庙里有人。", "今天天气很好。"], ["山上有一座庙庙里有人在讲故事"], 9) == [
        "今天天气很好。"
    ]


def test_nothing_to_compare_takes_nothing() -> None:
    for texts in ({}, {"t": []}, {"t": ["", "—", "too short"]}):
        assert DevTexts(texts, 13).without(ARTICLE) == (ARTICLE, [])
    assert DevTexts({"t": [DEV]}, 13).without([]) == ([], [])
    assert DevTexts({"t": [DEV]}, 13).without(["—"]) == (["—"], [])


def test_of_two_tasks_with_the_same_text_the_first_is_named() -> None:
    taken = DevTexts({"b": [DEV], "a": [DEV]}, 13).without(ARTICLE)[1]
    assert {match.task for match in taken} == {"b"}


WORDS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=9).map(" ".join)


def shares(sentences: list[str], texts: list[str], length: int) -> list[bool]:
    """By the definition: which sentences a run of `length` words of a text, or a whole shorter text, touches."""
    words = [(word, at) for at, sentence in enumerate(sentences) for word in sentence.split()]
    touched = [False] * len(sentences)
    for text in texts:
        listed = text.split()
        size = min(length, len(listed))
        if size < min(length, SHORTEST_WHOLE):
            continue
        for start in range(len(listed) - size + 1):
            for at in range(len(words) - size + 1):
                if [word for word, _ in words[at : at + size]] == listed[start : start + size]:
                    for _, sentence in words[at : at + size]:
                        touched[sentence] = True
    return touched


@given(st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=4), st.integers(1, 9))
def test_the_same_as_the_definition(sentences: list[str], texts: list[str], length: int) -> None:
    expected = sentences
    while any(touched := shares(expected, texts, length)):
        expected = [sentence for sentence, gone in zip(expected, touched, strict=True) if not gone]
    left, taken = DevTexts({"t": texts}, length).without(sentences)
    assert left == expected
    assert sorted([*left, *(match.sentence for match in taken)]) == sorted(sentences)


@pytest.mark.slow
def test_millions_of_words_take_seconds() -> None:
    draw = random.Random(1)
    vocabulary = [f"w{number}" for number in range(20_000)]
    texts = [" ".join(draw.choices(vocabulary, k=100)) for _ in range(1000)]
    documents = [[" ".join(draw.choices(vocabulary, k=20)) for _ in range(20)] for _ in range(2500)]
    documents[7][3] = f"He wrote: {' '.join(texts[5].split()[40:54])}."
    dev = DevTexts({"t": texts}, 13)
    started = time.process_time()
    taken = [match for document in documents for match in dev.without(document)[1]]
    assert [match.sentence for match in taken] == [documents[7][3]]
    assert time.process_time() - started < 10  # a million words; under a second on an idle core
