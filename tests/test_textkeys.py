"""A text's share is its own: the same text is chosen alike everywhere, two purposes choose independently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.textkeys import chosen, normalised, reserved_for_evaluation, text_digest

TEXTS = [f"Text number {number} of many." for number in range(20_000)]


@given(st.text(max_size=100))
def test_normalising_twice_changes_nothing_more(text):
    assert normalised(normalised(text)) == normalised(text)


def test_the_same_text_is_chosen_alike():
    assert text_digest("Été  en\tville") == text_digest("E\u0301te\u0301 EN ville\n")
    assert text_digest("one") != text_digest("two")
    text_digest("a lone \ud800 surrogate")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.15, 1.0])
def test_the_share_is_met(share):
    taken = sum(reserved_for_evaluation(text, share) for text in TEXTS) / len(TEXTS)
    assert taken == pytest.approx(share, abs=0.01)


def test_a_larger_share_holds_the_smaller_and_purposes_are_independent():
    small = {text for text in TEXTS if reserved_for_evaluation(text, 0.1)}
    large = {text for text in TEXTS if reserved_for_evaluation(text, 0.2)}
    other = {text for text in TEXTS if chosen(text, 0.5, "heldout 1")}
    assert small < large
    assert len(large & other) / len(large) == pytest.approx(0.5, abs=0.04)
