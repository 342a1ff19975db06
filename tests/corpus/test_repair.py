"""Encoding damage is mended, markup goes, paragraphs stay apart."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.corpus.prepare.repair import repaired

LONG = "A line of far more than a hundred characters, so that this text is not taken as hard-wrapped at some width."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Itâ€™s the cafÃ©’s “own” recipe", "It's the café's \"own\" recipe"),
        ("e\u0301te\u0301", "été"),
        ("full ｗｉｄｔｈ and ﬁne &amp; dandy", "full width and fine & dandy"),
        ("nul\x00 bell\x07 soft\u00adhyphen zero\u200bwidth\ufeff", "nul bell softhyphen zerowidth"),
        ("tabs\tand\u00a0blanks   here ", "tabs and blanks here"),
        ("A <b>bold</b> <a href='x'>claim</a>, 3 < 4 and 5 > 2", "A bold claim, 3 < 4 and 5 > 2"),
        ("the ``word'' here", 'the "word" here'),
        (
            'They didn"t say "yes,"?he said "?at least DeVos"?friends.',
            'They didn\'t say "yes," he said - at least DeVos" friends.',
        ),
        ('AREN"\ufffdT "\ufffdFinishing the Hat,"?', 'AREN\'T "Finishing the Hat,"?'),
        ('I didn"t and you"ll see "the end", "so".', 'I didn\'t and you\'ll see "the end", "so".'),
        ('Did he say "no"? He did.', 'Did he say "no"? He did.'),
    ],
)
def test_repairs(text, expected):
    assert repaired(text) == [expected]


def test_blank_lines_part_paragraphs_and_line_ends_do_where_lines_are_long():
    assert repaired("One line\nwrapped here.\n\n \nTwo.") == ["One line wrapped here.", "Two."]
    assert repaired(f"{LONG}\nTwo.\n\nThree.") == [LONG, "Two.", "Three."]
    assert repaired(f"<p>{LONG}</p><p>Two.<br/>Three.</p>") == [LONG, "Two.", "Three."]
    assert repaired("") == repaired(" \n\n\t") == []


@given(st.text(max_size=300))
def test_paragraphs_are_clean_and_stay_so(text):
    paragraphs = repaired(text)
    for paragraph in paragraphs:
        assert paragraph == " ".join(paragraph.split()) != ""
        assert unicodedata.is_normalized("NFC", paragraph)
        assert "\x00" not in paragraph


@pytest.mark.parametrize(
    "text", ["\n" * 2_000_000, "<a " * 500_000, "&amp; " * 500_000, '"?a ' * 500_000, "x " * 1_000_000]
)
def test_time_grows_with_length_only(text):
    started = time.process_time()
    repaired(text)
    assert time.process_time() - started < 10
