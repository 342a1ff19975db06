"""Records that are longer than one of several models reads are counted once, with the least that was read."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firth.tasks.batch.unread import Unread
from firth.tasks.encoders.reading import Cut, Reading

Bound = Literal["length", "query_length", "positions"]


def read(*examples: bool, most: int = 64, bound: Bound = "length") -> Reading:
    return Reading([], np.ones(len(examples), np.int64), cut=Cut(np.array(examples), most, bound))


def test_each_record_counts_once_for_all_models_together() -> None:
    unread = Unread()
    with unread.block() as seen:
        seen(read(True, False, False, most=128))
        seen(read(True, True, False, most=64))
    with unread.block() as seen:
        seen(read(False, True, most=128))
        seen(Reading([], np.ones(2, np.int64)))
    assert unread.notes() == ["3 rows have more than 64 tokens: what is behind them was not read"]


def test_nothing_is_said_where_all_was_read() -> None:
    unread = Unread()
    with unread.block() as seen:
        seen(read(False, False))
        seen(Reading([], np.ones(2, np.int64)))
    assert unread.notes() == []


def test_with_windows_it_is_the_question_that_is_too_long() -> None:
    unread = Unread()
    with unread.block() as seen:
        seen(read(True, False, most=16, bound="query_length"))
    assert unread.notes() == ["1 row has more than 16 tokens in the question: what is behind them was not read"]
