"""Pairs of one relation as arrows in the plane of their principal components."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from firth.report.svg.draw import Scale, el, figure, text
from firth.report.svg.labels import Box, place

WIDTH, HEIGHT = 460.0, 380.0
MARGIN_X, MARGIN_Y = 46.0, 24.0
SIZE = 13.0
HEAD = 7.0


def relation_chart(key: str, model: str, label: str, found: Mapping[str, Any]) -> Markup:
    """`found` is one entry of `plane.relations`."""
    arrows = found["arrows"]
    if not arrows:
        return Markup("")
    xs = [point[0] for arrow in arrows for point in (arrow["from"], arrow["to"])]
    ys = [point[1] for arrow in arrows for point in (arrow["from"], arrow["to"])]
    across = Scale(min(xs), max(xs), MARGIN_X, WIDTH - MARGIN_X)
    up = Scale(min(ys), max(ys), HEIGHT - MARGIN_Y, MARGIN_Y)
    parts: list[Markup] = []
    spots: list[tuple[float, float, str]] = []
    for arrow in arrows:
        x1, y1 = across(arrow["from"][0]), up(arrow["from"][1])
        x2, y2 = across(arrow["to"][0]), up(arrow["to"][1])
        spots += [(x1, y1, arrow["pair"][0]), (x2, y2, arrow["pair"][1])]
        parts.append(
            el(
                "g",
                el("title", " → ".join(arrow["pair"])),
                el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=f"arrow m-{model}"),
                _head(x1, y1, x2, y2, model),
                el("circle", cx=x1, cy=y1, r=3.2, class_="from"),
            )
        )
    bounds = (1, 1, WIDTH - 1, HEIGHT - 1)
    shafts = [box for start, end in zip(spots[::2], spots[1::2], strict=True) for box in _shaft(start, end)]
    for i, placed in enumerate(place(spots, SIZE, bounds, keep_all=True, avoid=shafts)):
        if placed:
            parts.append(text(placed.x, placed.y, placed.text, "word to" if i % 2 else "word", placed.anchor))
    told = "; ".join(" to ".join(arrow["pair"]) for arrow in arrows)
    return figure(key, (WIDTH, HEIGHT), title=f"{label}: {found['name']}", description=f"Arrows: {told}.", parts=parts)


def _shaft(start: tuple[float, float, str], end: tuple[float, float, str]) -> list[Box]:
    """An arrow as a row of small boxes that labels keep clear of."""
    steps = max(2, round(math.dist(start[:2], end[:2]) / 4))
    points = [
        (start[0] + (end[0] - start[0]) * i / steps, start[1] + (end[1] - start[1]) * i / steps)
        for i in range(1, steps)
    ]
    return [(x - 2, y - 2, x + 2, y + 2) for x, y in points]


def _head(x1: float, y1: float, x2: float, y2: float, model: str) -> Markup:
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    corners = [(x2, y2)] + [
        (x2 - HEAD * dx + side * HEAD * 0.5 * dy, y2 - HEAD * dy - side * HEAD * 0.5 * dx) for side in (-1, 1)
    ]
    return el("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in corners), class_=f"head m-{model}")
