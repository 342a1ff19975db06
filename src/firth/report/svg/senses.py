"""One word in its sentences: a mark for each, its shape and colour the sense it has there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from firth.report.svg.draw import Scale, el, figure, text, text_width
from firth.report.svg.labels import Box, Label, place

WIDTH, HEIGHT = 440.0, 340.0
STATIC_HEIGHT = 220.0
MARGIN = 26.0
SIZE, RADIUS = 13.0, 6.0
SHAPES = 4


def sense_chart(
    key: str, title: str, sentences: Sequence[Mapping[str, Any]], points: Sequence[Sequence[float]]
) -> Markup:
    """Each sentence's point of (sentences, 2); near the mark stand its number and, where there is room, its words.

    Args:
        key: Unique in the page.
        title: Of the drawing.
        sentences: `{"group": number of the sense, "short": a few words}`.
        points: Where each lies; both axes have one scale.
    """
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    across, up = _scales(xs, ys)
    spots = [(across(x), up(y)) for x, y in points]
    marks = [
        _mark(sentence["group"], x, y, sentence["short"]) for sentence, (x, y) in zip(sentences, spots, strict=True)
    ]
    labels = _labels(spots, [f"{i} {sentence['short']}" for i, sentence in enumerate(sentences, 1)])
    names = [text(label.x, label.y, label.text, "word", label.anchor) for label in labels]
    told = f"{len(points)} sentences, senses by shape and colour; numbers as in the list of sentences."
    return figure(key, (WIDTH, HEIGHT), title=title, description=told, parts=[_frame(), *marks, *names])


def static_chart(key: str, title: str, word: str, sentences: int) -> Markup:
    """The one point that a static vector is, whatever stands around the word."""
    x, y = WIDTH / 2, STATIC_HEIGHT / 2
    parts = [
        _frame(STATIC_HEIGHT),
        el("circle", cx=x, cy=y, r=RADIUS + 1, class_="dot heldout"),
        text(x, y - 16, word, "word to", "middle"),
        text(x, y + 28, f"the same point in all {sentences} sentences", "tick", "middle"),
    ]
    return figure(key, (WIDTH, STATIC_HEIGHT), title=title, description="One point for every sentence.", parts=parts)


def shape(group: int, x: float, y: float, radius: float = RADIUS) -> Markup:
    """Circle, square, triangle, diamond: told apart without colours, too."""
    classes = f"sense g-{group % SHAPES}"
    if group % SHAPES == 0:
        return el("circle", cx=x, cy=y, r=radius, class_=classes)
    corners = {
        1: [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
        2: [(0, -1.15), (1.1, 0.85), (-1.1, 0.85)],
        3: [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
    }[group % SHAPES]
    return el(
        "polygon", points=" ".join(f"{x + radius * a:.1f},{y + radius * b:.1f}" for a, b in corners), class_=classes
    )


def sense_swatch(group: int) -> Markup:
    """The shape of one sense, for lists of sentences."""
    return el("svg", shape(group, 7, 7, 5), viewBox="0 0 14 14", aria_hidden="true")


def _mark(group: int, x: float, y: float, told: str) -> Markup:
    return el("g", el("title", told), shape(group, x, y))


def _scales(xs: Sequence[float], ys: Sequence[float]) -> tuple[Scale, Scale]:
    """One unit is as long across as up, or distances would lie."""
    wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    unit = max((max(xs) - min(xs)) / wide, (max(ys) - min(ys)) / high) or 1.0
    x, y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    return (
        Scale(x - unit * wide / 2, x + unit * wide / 2, MARGIN, WIDTH - MARGIN),
        Scale(y - unit * high / 2, y + unit * high / 2, HEIGHT - MARGIN, MARGIN),
    )


def _labels(spots: Sequence[tuple[float, float]], names: Sequence[str]) -> list[Label]:
    """Number and words where they fit; the number alone where they do not."""
    bounds = (2.0, 2.0, WIDTH - 2, HEIGHT - 2)
    dots: list[Box] = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in spots]
    full = place([(x, y, name) for (x, y), name in zip(spots, names, strict=True)], SIZE, bounds, gap=9.0, avoid=dots)
    taken = [_box(label) for label in full if label]
    found: list[Label] = []
    for fitting, (x, y), name in zip(full, spots, names, strict=True):
        short = [(x, y, name.split()[0])]
        label = fitting or place(short, SIZE, bounds, gap=9.0, keep_all=True, avoid=[*dots, *taken])[0]
        if label:
            taken.append(_box(label))
            found.append(label)
    return found


def _box(label: Label) -> Box:
    width = text_width(label.text, SIZE)
    left = {"start": label.x, "middle": label.x - width / 2, "end": label.x - width}[label.anchor]
    return left, label.y - SIZE * 0.8, left + width, label.y + SIZE * 0.25


def _frame(height: float = HEIGHT) -> Markup:
    """A border and no axes, as they have no meaning of their own."""
    return el("rect", x=0.5, y=0.5, width=WIDTH - 1, height=height - 1, rx=6, class_="frame")
