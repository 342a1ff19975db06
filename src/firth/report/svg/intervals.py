"""Scores with their 95 % intervals, one row a score, one mark a model, against a line that marks chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from firth.report.svg.draw import Scale, el, figure, text, text_width, ticks

WIDTH = 470.0
ROW, BETWEEN = 14.0, 9.0
SIZE = 13.0
RIGHT, TOP, BOTTOM = 46.0, 22.0, 30.0
SEED = 8.0
"""Half the stroke of a seed: it is seen behind a dot, too."""


def interval_chart(
    key: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    limits: tuple[float, float],
    chance: float | None,
    show: Callable[[float], str],
) -> Markup:
    """One row a score.

    Args:
        key: Unique in the page.
        title: Of the drawing.
        rows: `{"name", "note", "marks": [{"model", "label", "score", "low", "high"}]}`; the note stands where no
            mark does.
        limits: Smallest and largest score on the axis.
        chance: Where a guess would land, or None.
        show: Writes a score.
    """
    left = max((text_width(row["name"], SIZE) for row in rows), default=0.0) + 16
    across = Scale(limits[0], limits[1], left, WIDTH - RIGHT)
    heights = [max(1, len(row["marks"])) * ROW + BETWEEN for row in rows]
    bottom = TOP + sum(heights)
    parts = []
    for value in ticks(*limits):
        x = across(value)
        parts.append(el("line", x1=x, x2=x, y1=TOP - 6, y2=bottom, class_="grid"))
        parts.append(text(x, bottom + 18, show(value), "tick", "middle"))
    if chance is not None:
        parts.append(el("line", x1=across(chance), x2=across(chance), y1=TOP - 6, y2=bottom, class_="chance"))
        parts.append(text(across(chance), TOP - 10, "chance", "tick", "middle"))
    y = TOP
    for row, height in zip(rows, heights, strict=True):
        parts.append(text(left - 10, y + height / 2 + 1, row["name"], "label", "end"))
        if not row["marks"]:
            parts.append(text(left + 6, y + height / 2 + 1, row["note"], "tick"))
        for i, one in enumerate(row["marks"]):
            parts.append(mark(one, across, y + BETWEEN / 2 + (i + 0.5) * ROW, show))
        y += height
    told = "; ".join(
        f"{row['name']}: " + ", ".join(f"{mark['label']} {show(mark['score'])}" for mark in row["marks"])
        for row in rows
        if row["marks"]
    )
    return figure(
        key,
        (WIDTH, bottom + BOTTOM),
        title=title,
        description=f"Scores with 95 % intervals. {told}.",
        parts=parts,
    )


def mark(row: Mapping[str, Any], across: Scale, y: float, show: Callable[[float], str]) -> Markup:
    """A score as a dot on its interval, its value behind; `row` is `{"model", "label", "score", "low", "high"}`.

    With a true `hollow` the dot is an outline only; `seeds`, where there are some, are small strokes on the interval.
    """
    low, high, score = (across(min(max(row[k], across.low), across.high)) for k in ("low", "high", "score"))
    told = f"{row['label']}: {show(row['score'])}, 95 % interval {show(row['low'])} to {show(row['high'])}"
    if row.get("seeds"):
        told += f", seeds {', '.join(show(seed) for seed in row['seeds'])}"
    return el(
        "g",
        el("title", told),
        el("line", x1=low, x2=high, y1=y, y2=y, class_=f"whisker m-{row['model']}"),
        *(
            el("line", x1=x, x2=x, y1=y - SEED, y2=y + SEED, class_=f"seed m-{row['model']}")
            for x in (across(min(max(seed, across.low), across.high)) for seed in row.get("seeds", ()))
        ),
        el("circle", cx=score, cy=y, r=4.5, class_=f"dot{' hollow' if row.get('hollow') else ''} m-{row['model']}"),
        text(high + 8, y + 4, show(row["score"]), "tick value"),
    )
