"""Work done ahead on a thread: in its order, so much and no more, errors in their place, no thread left behind."""

import threading
from contextlib import closing

import pytest

from firth.training.ahead import ahead

SOON = 10.0
"""Seconds in which what must happen has happened."""


def counted(made, event=None, at=0):
    for number in range(100):
        made.append(number)
        if event is not None and number == at:
            event.set()
        yield number


def workers():
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_items_come_in_their_order():
    assert list(ahead(iter(range(1000)), 4)) == list(range(1000))
    assert not workers()


def test_so_many_are_made_before_they_are_asked_for_and_no_more():
    made, third = [], threading.Event()
    with closing(ahead(counted(made, third, at=3), 2)) as items:
        assert next(items) == 0
        assert third.wait(SOON)  # one handed over, two ready, one in the worker's hands
        assert made == [0, 1, 2, 3]


def test_nothing_more_is_made_once_it_is_closed():
    made, third = [], threading.Event()
    items = ahead(counted(made, third, at=3), 2)
    next(items)
    assert third.wait(SOON)
    items.close()
    assert made == [0, 1, 2, 3]
    assert not workers()


def test_an_error_is_raised_in_the_place_of_the_item():
    def fails():
        yield 1
        raise ValueError("the second")

    items = ahead(fails(), 3)
    assert next(items) == 1
    with pytest.raises(ValueError, match="the second"):
        next(items)
    assert not workers()
