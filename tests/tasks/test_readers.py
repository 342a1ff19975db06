"""Evaluation files: what is read, and what is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from firth.errors import DataError
from firth.tasks.readers import Pair, Question, read_analogies, read_pairs


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "tasks.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_analogies_carry_their_section(tmp_path: Path) -> None:
    path = write(tmp_path, ": family\r\nboy girl king queen\r\n\r\n: gram8-plural\ncat  cats\tdog dogs\n")
    assert read_analogies(path) == [
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
def test_bad_analogies_are_named_by_line(tmp_path: Path, text: str | bytes, line: int, expected: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_analogies(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert expected in str(caught.value)


def test_pairs_skip_comments(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeff# words\nlove\tsex\t6.77\ntiger\ttiger\t10\n")
    assert read_pairs(path) == [Pair("love", "sex", 6.77), Pair("tiger", "tiger", 10.0)]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("love\tsex\t6.77\ntiger cat 7.35\n", 2, "between tabs"),
        ("love\tsex\t6.77\ntiger\t\t7.35\n", 2, "between tabs"),
        ("love\tsex\thigh\n", 1, "expected a number as the score, found 'high'"),
        ("love\tsex\tnan\n", 1, "expected a number"),
    ],
)
def test_bad_pairs_are_named_by_line(tmp_path: Path, text: str, line: int, expected: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_pairs(path)
    assert f"line {line}: " in str(caught.value)
    assert expected in str(caught.value)


def test_empty_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no analogy question"):
        read_analogies(write(tmp_path, ": family\n"))
    with pytest.raises(DataError, match="at least two"):
        read_pairs(write(tmp_path, "a\tb\t1\n"))
    with pytest.raises(DataError, match="No such file"):
        read_pairs(tmp_path / "none.tsv")
