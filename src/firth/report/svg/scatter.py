"""The map of frequent words: a dot for each, a label wherever one can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from firth.report.svg.draw import Scale, el, figure, text
from firth.report.svg.labels import place

WIDTH, HEIGHT = 1080.0, 760.0
MARGIN = 14.0
SIZE = 13.0


def map_chart(key: str, label: str, found: Mapping[str, Any]) -> Markup:
    """`found` is what `plane.word_map` returns; labels of frequent words win where there is no room for all."""
    points = found["points"]
    if not points:
        return Markup("")
    across = Scale(0.0, 1.0, MARGIN + 34, WIDTH - MARGIN - 34)
    down = Scale(0.0, 1.0, HEIGHT - MARGIN - 8, MARGIN + 8)
    spots = [(across(point["x"]), down(point["y"]), point["word"]) for point in points]
    labels = place(spots, SIZE, (2, 2, WIDTH - 2, HEIGHT - 2))
    dots = [
        el("circle", el("title", point["word"]), cx=x, cy=y, r=3.6 if labels[i] else 2.6, class_=f"g-{point['group']}")
        for i, (point, (x, y, _)) in enumerate(zip(points, spots, strict=True))
    ]
    names = [text(label.x, label.y, label.text, "word", label.anchor) for label in labels if label]
    return figure(
        key,
        (WIDTH, HEIGHT),
        title=f"{label}: map of frequent words",
        description=f"{len(points)} frequent words; words used alike lie near each other. {len(names)} of them carry "
        "labels; the groups are listed below the map.",
        parts=dots + names,
    )
