"""Overlapping windows over the pieces of a text that is longer than a model reads at a time (SQuAD's recipe)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from firth.tasks.encoders.reading import Floats

LENGTH_WEIGHT = 0.01
"""What a longer window is worth, beside a piece of context more: it decides between equals."""


class Scores(NamedTuple):
    """What a head says of one window: scores (pieces,) of a start and of an end at each of its pieces.

    `begin` is the window's first piece, counted in the whole text.
    """

    begin: int
    starts: Floats
    ends: Floats


def windows(pieces: int, room: int, stride: int) -> list[tuple[int, int]]:
    """`(first piece, piece behind the last)` of each window over a text of `pieces`; one of nothing for no pieces.

    A window begins `stride` pieces behind the one before it and holds `room`; the last one ends with the text.
    """
    found = [(0, min(room, pieces))]
    while found[-1][1] < pieces:
        begin = found[-1][0] + min(stride, room)
        found.append((begin, min(begin + room, pieces)))
    return found


def context(pieces: int) -> Floats:
    """How much context each piece of a window of `pieces` has there: the lesser of its neighbours left and right."""
    place = np.arange(pieces, dtype=np.float32)
    least: Floats = np.minimum(place, pieces - 1 - place) + np.float32(LENGTH_WEIGHT * pieces)
    return least


class Span(NamedTuple):
    """First and last piece, counted in the whole text, and the score of both."""

    first: int
    last: int
    score: float


def best_span(read: Sequence[Scores], longest: int) -> tuple[int, int]:
    """First and last piece of the best of `best_spans`."""
    (best,) = best_spans(read, longest, 1)
    return best.first, best.last


def best_spans(read: Sequence[Scores], longest: int, count: int) -> list[Span]:
    """The `count` best spans of at most `longest` pieces, or as many as there are; of equals the first stand first."""
    scores = span_scores(read, longest)
    order = [int(scores.argmax())] if count == 1 else np.argsort(-scores, axis=None, kind="stable")[:count].tolist()
    found = [(divmod(place, longest), float(scores.flat[place])) for place in order]
    return [Span(first, first + further, score) for (first, further), score in found if score > -np.inf]


def span_scores(read: Sequence[Scores], longest: int) -> Floats:
    """The scores (pieces, longest) of the spans from each piece on, of one piece, of two, …; -inf behind the text.

    A span's score is the sum of its start's and its end's. Where several windows hold it, that one is asked in which
    its start has the most context, of equals the earliest. The paper's code asks for the start alone, and so cannot
    answer with a span that runs out of that window; with 384 and 128 there is none of 30 pieces. It also tries only
    the 20 best starts with the 20 best ends of a window, to save time: here all are tried.
    """
    pieces = max(window.begin + len(window.starts) for window in read)
    scores = np.full((pieces, longest), -np.inf, np.float32)
    known = np.full((pieces, longest), -np.inf, np.float32)
    for begin, starts, ends in read:
        last = np.arange(len(starts))[:, None] + np.arange(longest)
        whole = last < len(starts)
        sums = starts[:, None] + ends[np.minimum(last, len(starts) - 1)]
        here = np.broadcast_to(context(len(starts))[:, None], last.shape)
        rows = slice(begin, begin + len(starts))
        better = whole & (here > known[rows])
        scores[rows][better], known[rows][better] = sums[better], here[better]
    return scores
