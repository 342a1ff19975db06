import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.tokens.words import split


def words(*sentences, lowercase=True, numbers="keep"):
    return split(sentences, lowercase, numbers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t say 'no', said O'Neil.", "don't say no said o'neil"),
        ("the dogs' bones — rock'n'roll ''quoted''", "the dogs bones rock'n'roll quoted"),
        ("state-of-the-art snake_case_name U.S. $3.50", "state of the art snake case name u s 3 50"),
        ("Ünïcode ТЕКСТ 日本語 B2B 1990s", "ünïcode текст 日本語 b2b 1990s"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),  # vowel signs are combining marks
        ("cafe\u0301 ok", "cafe\u0301 ok"),
        ("!!! ... --- '' _ __", ""),
    ],
)
def test_what_a_word_is(text, expected):
    assert words(text) == [*expected.split(), "\n"]


def test_case_and_digits_as_asked():
    assert words("The 3 Rs of 1984", lowercase=False, numbers="digit") == ["The", "0", "Rs", "of", "0000", "\n"]


def test_a_line_break_inside_a_sentence_ends_nothing():
    assert words("one\ntwo", "", "three") == ["one", "two", "\n", "\n", "three", "\n"]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_every_sentence_has_its_end_and_its_own_words(sentences):
    together = split(sentences, True, "keep")
    assert together.count("\n") == len(sentences)
    assert together == [word for sentence in sentences for word in split([sentence], True, "keep")]
    assert not any("_" in word or " " in word for word in together)
