"""Systems on one task: name above, score with its interval below, against the line of the most frequent answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from firth.report.svg.draw import Scale, el, figure, text, ticks
from firth.report.svg.intervals import mark

WIDTH = 470.0
ROW = 40.0
LEFT, RIGHT, TOP, BOTTOM = 8.0, 58.0, 26.0, 28.0


def system_chart(
    key: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    line: tuple[str, float] | None,
    show: Callable[[float], str],
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Markup:
    """One row a system.

    Args:
        key: Unique in the page.
        title: Of the drawing.
        rows: `{"model", "label", "score", "low", "high", "seeds", "hollow", "remark"}`; the remark stands at the right,
            a hollow dot is of frozen features, a stroke of one seed.
        line: Name and score of the line to beat.
        show: Writes a score.
        bounds: Smallest and largest score there can be.
    """
    if not rows:
        return Markup("")
    ends = [row[end] for row in rows for end in ("low", "high")] + ([] if line is None else [line[1]])
    ends += [seed for row in rows for seed in row["seeds"]]
    pad = max(0.02, (max(ends) - min(ends)) * 0.1)
    across = Scale(max(bounds[0], min(ends) - pad), min(bounds[1], max(ends) + pad), LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(rows)
    parts = []
    for value in ticks(across.low, across.high):
        parts.append(el("line", x1=across(value), x2=across(value), y1=TOP - 4, y2=bottom, class_="grid"))
        parts.append(text(across(value), bottom + 18, show(value), "tick", "middle"))
    if line is not None:
        x = across(line[1])
        bands = [(TOP - 7, TOP), *((TOP + ROW * i + 17, TOP + ROW * i + 37) for i in range(len(rows)))]
        parts += [el("line", x1=x, x2=x, y1=top, y2=low, class_="chance") for top, low in bands]  # names stay clear
        anchor = "start" if x < WIDTH * 0.3 else "end" if x > WIDTH * 0.7 else "middle"
        parts.append(text(x, TOP - 11, f"{line[0]} {show(line[1])}", "tick", anchor))
    for i, row in enumerate(rows):
        y = TOP + ROW * i
        parts.append(text(LEFT, y + 13, row["label"], "word"))
        if row["remark"]:
            parts.append(text(WIDTH, y + 13, row["remark"], "word note", "end"))
        parts.append(mark(row, across, y + 26, show))
    told = ", ".join(f"{row['label']} {show(row['score'])}" for row in rows)
    return figure(
        key,
        (WIDTH, bottom + BOTTOM),
        title=title,
        description=f"Scores with 95 % intervals. {told}.",
        parts=parts,
    )
