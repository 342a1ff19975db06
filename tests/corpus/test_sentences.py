"""Paragraphs become sentences; nothing is lost, nothing is empty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.corpus.prepare.sentences import sentences


@pytest.mark.parametrize(
    "expected",
    [
        ["Dr. Smith met Mr. J. R. Firth at 3 p.m.", "They left."],
        ['"My wife and I left.', 'We were late," he said.', '"It was dark."', "Then it rained."],
        ['An odd " mark stands here.', '"Is this one piece?"', "No.", "It is three."],
        ["It cost $3.50 in the U.S. market (see p. 5).", "Nobody paid."],
        ["A stray ( bracket.", "It hides nothing.", "Nor here."],
        ["They called it 'the end of it.'", "It was not."],
    ],
)
def test_sentences_of_english(expected):
    assert sentences(" ".join(expected), "en") == expected


def test_marks_alone_join_the_sentence_before():
    assert sentences("He left. — — Then what?", "en")[0].startswith("He left.")
    assert sentences("… — !", "en") == []
    assert sentences("", "en") == []


@given(st.text(alphabet=st.sampled_from(list("aB .?!\"'()[]“”’é中𝒳1,")), max_size=200))
def test_every_letter_stays_in_order(text):
    paragraph = " ".join(text.split())
    found = sentences(paragraph, "en")
    letters = [character for character in paragraph if character.isalnum()]
    assert [character for sentence in found for character in sentence if character.isalnum()] == letters
    assert all(sentence == sentence.strip() and any(map(str.isalnum, sentence)) for sentence in found)
