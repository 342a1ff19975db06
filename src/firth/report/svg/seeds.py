"""A figure for each of several trainings: a dot a seed, their mean, and how far they spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from firth.report.svg.draw import Scale, el, figure, text, text_width, ticks

WIDTH, ROW = 560.0, 40.0
TOP, BOTTOM, RIGHT = 28.0, 42.0, 62.0
SIZE = 13.0


def seed_chart(
    key: str, title: str, rows: Sequence[Mapping[str, Any]], *, marked: str, level: tuple[str, float], unit: str
) -> Markup:
    """One row a training.

    Args:
        key: Unique in the page.
        title: Of the drawing.
        rows: `{"cell", "losses": one a seed, "mean", "low", "high"}`.
        marked: The row that the others are compared with; a line runs through its mean.
        level: Name and height of what needs no training; drawn where it does not squeeze the rest.
        unit: What the axis counts.
    """
    left = max(text_width(row["cell"], SIZE) for row in rows) + 18
    values = [value for row in rows for value in row["losses"]]
    low, high = min(values), max(values)
    near = level[1] - high <= 2 * max(high - low, 0.02) and low - level[1] <= 2 * max(high - low, 0.02)
    low, high = (min(low, level[1]), max(high, level[1])) if near else (low, high)
    pad = (high - low) * 0.08 or 0.05
    across = Scale(low - pad, high + pad, left, WIDTH - RIGHT)
    bottom = TOP + ROW * len(rows)
    parts = []
    for value in ticks(across.low, across.high):
        x = across(value)
        parts.append(el("line", x1=x, x2=x, y1=TOP - 4, y2=bottom, class_="grid"))
        parts.append(text(x, bottom + 18, f"{value:g}", "tick", "middle"))
    parts.append(text((left + WIDTH - RIGHT) / 2, bottom + 36, unit, "tick", "middle"))
    if near:
        x = across(level[1])
        parts.append(el("line", x1=x, x2=x, y1=TOP - 4, y2=bottom, class_="chance"))
        parts.append(text(x, TOP - 10, level[0], "tick", "end" if x > WIDTH / 2 else "start"))
    for i, row in enumerate(rows):
        y = TOP + ROW * (i + 0.5)
        if row["cell"] == marked:
            x = across(row["mean"])
            parts.append(el("line", x1=x, x2=x, y1=TOP - 4, y2=bottom, class_="axis"))
        parts.append(_row(row, across, left, y))
    told = "; ".join(
        f"{row['cell']}: {row['mean']:.3f}"
        + (f" ({row['low']:.3f} to {row['high']:.3f})" if len(row["losses"]) > 1 else "")
        for row in rows
    )
    return figure(
        key,
        (WIDTH, bottom + BOTTOM),
        title=title,
        description=f"{unit}: {told}; {level[0]} {level[1]:.3f}.",
        parts=parts,
        natural=True,
    )


def _row(row: Mapping[str, Any], across: Scale, left: float, y: float) -> Markup:
    mean, several = across(row["mean"]), len(row["losses"]) > 1
    parts = [text(left - 12, y + 4, row["cell"], "label", "end")]
    if several:
        parts.append(
            el("line", x1=across(row["low"]), x2=across(row["high"]), y1=y, y2=y, class_="whisker m-reference")
        )
        parts.append(el("line", x1=mean, x2=mean, y1=y - 9, y2=y + 9, class_="mark"))
    parts += [
        el("circle", el("title", f"{row['cell']}: {loss:.3f}"), cx=across(loss), cy=y, r=4, class_="dot m-reference")
        for loss in row["losses"]
    ]
    parts.append(text(across(row["high"]) + 10, y + 4, f"{row['mean']:.3f}", "tick value"))
    return el("g", *parts)
