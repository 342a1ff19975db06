"""Evaluation files: what is read, and what is refused with file and line."""

from __future__ import annotations

import pytest

from firth.errors import DataError
from firth.tasks.words.readers import Pair, Question, parse_analogies, parse_pairs

WHERE = "wheel/tasks.txt"


def encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def test_analogies_carry_their_section() -> None:
    text = ": family\r\nboy girl king queen\r\n\r\n: gram8-plural\ncat  cats\tdog dogs\n"
    assert parse_analogies(encoded(text), WHERE) == [
        Question("family", "boy", "girl", "king", "queen"),
        Question("gram8-plural", "cat", "cats", "dog", "dogs"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (": family\nboy girl king\n", 2, "expected four words, found 3"),
        (": family\nboy girl king queen prince\n", 2, "expected four words, found 5"),
        ("boy girl king queen\n", 1, "before the first question"),
        (":  \nboy girl king queen\n", 1, "section's name"),
        (b": family\nboy girl k\xffng queen\n", 2, "expected UTF-8, found byte 0xff"),
    ],
)
def test_bad_analogies_are_named_by_line(text: str | bytes, line: int, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_analogies(encoded(text), WHERE)
    assert str(caught.value).startswith(f"{WHERE}, line {line}: ")
    assert expected in str(caught.value)


def test_pairs_skip_comments() -> None:
    text = "\ufeff# words\nlove\tsex\t6.77\ntiger\ttiger\t10\n"
    assert parse_pairs(encoded(text), WHERE) == [Pair("love", "sex", 6.77), Pair("tiger", "tiger", 10.0)]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("love\tsex\t6.77\ntiger cat 7.35\n", 2, "between tabs"),
        ("love\tsex\t6.77\ntiger\t\t7.35\n", 2, "between tabs"),
        ("love\tsex\thigh\n", 1, "expected a number as the score, found 'high'"),
        ("love\tsex\tnan\n", 1, "expected a number"),
    ],
)
def test_bad_pairs_are_named_by_line(text: str, line: int, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_pairs(encoded(text), WHERE)
    assert f"line {line}: " in str(caught.value)
    assert expected in str(caught.value)


def test_files_without_content() -> None:
    with pytest.raises(DataError, match=r"^wheel/tasks.txt: holds no analogy question"):
        parse_analogies(b": family\n", WHERE)
    with pytest.raises(DataError, match="at least two"):
        parse_pairs(b"a\tb\t1\n", WHERE)
