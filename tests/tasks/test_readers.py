"""Evaluation files: what is read, and what is refused with file and line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


SUN = [Pair("sun", "sunlight", 50.0), Pair("tiger", "Cat", 7.35), Pair("old", "new", 1.58)]


@pytest.mark.parametrize(
    "text",
    [
        "sun\tsunlight\t50.0\ntiger\tCat\t7.35\nold\tnew\t1.58\n",
        "sun\tsunlight\t50.0\r\ntiger\tCat\t7.35\r\n\r\nold\tnew\t1.58",
        "sun sunlight 50.000000\ntiger  Cat 7.35\nold new   1.58\n",
        "# our own\n#\tword\tword\tscore\nsun\tsunlight\t50\n# more\ntiger\tCat\t7.35\nold\tnew\t1.58\n",
        "Word 1,Word 2,Human (mean),1,2\nsun,sunlight,50,49,51\ntiger,Cat,7.35,7,8\nold,new,1.58,1,\n",
        '"sun","sunlight",50\n"tiger","Cat",7.35\n"old","new",1.58\n',
        "word1\tword2\tPOS\tSimLex999\tconc(w1)\nsun\tsunlight\tN\t50\t4\ntiger\tCat\tN\t7.35\t5\nold\tnew\tA\t1.58\t2\n",
        "50 sun sunlight\n7.35 tiger Cat\n1.58 old new\n",
        "sun\tsunlight\t50\t48\t52\ntiger\tCat\t7.35\t7\t8\nold\tnew\t1.58\t1\t2\n",
        "word1 word2 score\nsun sunlight 5e1\ntiger Cat 7.35\nold new 1.58\n",
    ],
    ids=["tabs", "crlf", "blanks", "comments", "commas", "quoted", "simlex", "score-first", "annotators", "header"],
)
def test_pairs_in_the_forms_that_files_have(text: str) -> None:
    assert parse_pairs(text.encode(), WHERE) == SUN


@given(st.lists(st.lists(st.sampled_from(["word1", "score", "a", "b", "1", "2.5", "", "nan"]), max_size=5), max_size=4))
@pytest.mark.parametrize("cut", ["\t", ",", " "])
def test_any_table_is_read_or_refused(cut: str, table: list[list[str]]) -> None:
    text = "\n".join(cut.join(fields) for fields in table)
    try:
        pairs = parse_pairs(text.encode(), WHERE)
    except DataError:
        return
    assert len(pairs) in (len(table), len(table) - 1, len([row for row in table if any(row)]))
    assert all(pair.first and pair.second for pair in pairs)


def test_a_word_of_digits_is_a_word() -> None:
    assert parse_pairs(b"1984 2001 3.5\norwell clarke 2\n", WHERE)[0] == Pair("1984", "2001", 3.5)


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
        ("love\tsex\tgold\ntiger\tcat\t7\n", 1, "found 'gold'; a header line starts with #"),
        ("w1\tw2\tscore\nlove\tsex\t6.77\ntiger\tcat\tseven\n", 3, "found 'seven'"),
        ("love sex 6.77\ntiger cat\n", 2, "expected word, word and score between blanks, found 'tiger cat'"),
        ("love,sex,6.77\ntiger,,7.35\n", 2, "between commas"),
        ("love\tsex\t6.77\t7\ntiger\tcat\t7.35\n", 2, "expected 4 fields, as in the first line, between tabs"),
        ("love sex\ntiger cat\n", 1, "expected word, word and score"),
        (b"love\tsex\t6.77\ntiger\tc\xe1t\t7\n", 2, "expected UTF-8, found byte 0xe1"),
    ],
)
def test_bad_pairs_are_named_by_line(text: str | bytes, line: int, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_pairs(encoded(text), WHERE)
    assert f"line {line}: " in str(caught.value)
    assert expected in str(caught.value)


def test_files_without_content() -> None:
    with pytest.raises(DataError, match=r"^wheel/tasks.txt: holds no analogy question"):
        parse_analogies(b": family\n", WHERE)
    with pytest.raises(DataError, match="at least two"):
        parse_pairs(b"a\tb\t1\n", WHERE)
    with pytest.raises(DataError, match="at least two"):
        parse_pairs(b"word1\tword2\tscore\n", WHERE)
    with pytest.raises(DataError, match="holds no pairs"):
        parse_pairs(b"# nothing\n\n", WHERE)
