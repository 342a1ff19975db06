"""Counting one document."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.validation.characters import EXCERPT, MARKUP, MISREAD, broken_at, excerpt, measure


@given(st.text(st.characters(codec="utf-8")))
def test_counts_equal_a_loop_over_characters(text: str) -> None:
    found = measure(text)
    words = text.split()
    assert found.words == len(words)
    assert found.characters == len(text)
    assert found.nonblank == sum(not letter.isspace() for letter in text) == sum(map(len, words))
    assert found.letters == sum(unicodedata.category(letter)[0] in "LM" for letter in text)
    assert found.broken == sum(
        letter == "\ufffd" or (unicodedata.category(letter) == "Cc" and letter not in "\t\n\v\f\r") for letter in text
    )
    assert found.longest == max(map(len, words), default=0)


def test_other_scripts_are_letters_and_line_breaks_are_not_broken() -> None:
    assert measure("Москва 東京 हिन्दी").letter_share == 1.0
    assert measure("a\tb\r\nc\f").broken == 0
    assert measure("a\x00b\x85\ufffd").broken == 3
    assert measure("").letter_share == measure(" \n").mean_word_length == measure("").broken_share == 0.0


def test_ten_megabytes_without_a_space_are_counted_at_once() -> None:
    started = time.perf_counter()
    found = measure("x" * 10_000_000)
    assert (found.words, found.longest) == (1, 10_000_000)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("size", [10_000_000, 1])
@pytest.mark.parametrize("piece", ["<", "a", "&", "&#", "Ã", "[", "<a "])
def test_markup_patterns_do_not_hang(piece: str, size: int) -> None:
    text = piece * (size // len(piece))
    started = time.perf_counter()
    MARKUP.findall(text)
    MISREAD.findall(text)
    assert time.perf_counter() - started < 8


@pytest.mark.parametrize("text", ["a <br/> b", "x&nbsp;y", "[[link]]", "{{cite}}", '<a href="x">y</a>', "&#8217;"])
def test_markup_is_found(text: str) -> None:
    assert MARKUP.search(text)


@pytest.mark.parametrize("text", ["a < b and c > d", "AT&T", "[1]", "f(x) = {1, 2}", "I <3 you"])
def test_ordinary_text_is_not_markup(text: str) -> None:
    assert not MARKUP.search(text)


def test_misread_utf8_is_found_and_real_accents_are_not() -> None:
    for original in ("café", "don’t", "naïve", "über", "España", "“quoted”"):
        assert MISREAD.search(original.encode().decode("cp1252", errors="replace")), original
        assert MISREAD.search(original.encode().decode("latin-1")) or "’" in original or "“" in original
        assert not MISREAD.search(original)


def test_excerpts_are_short_printable_and_show_the_place() -> None:
    text = "word " * 100 + "bad\x1bhere\ufffd " + "word " * 100
    shown = excerpt(text, broken_at(text))
    assert "bad\\u001bhere" in shown
    assert "\x1b" not in shown
    assert shown.startswith("…") and shown.endswith("…")
    assert len(shown) <= EXCERPT + 40
    assert excerpt("short\n\ntext") == "short text"
    assert broken_at("") == broken_at("fine") == 0
