"""Loss against what was seen: training as a line, held-out text as points, and a level to compare them with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from firth.progress import compact
from firth.report.svg.draw import Scale, el, figure, text, ticks

WIDTH, HEIGHT = 440.0, 290.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 76.0, 16.0, 40.0

Points = Sequence[Sequence[float]]


def loss_chart(
    key: str,
    label: str,
    curve: Mapping[str, Points],
    *,
    unit: str = "words",
    level: tuple[str, float] | None = None,
) -> Markup:
    """The curve of one model.

    Args:
        key: Unique in the page.
        label: Leads the drawing's title.
        curve: `train` and `heldout`, lists of [seen, loss]; either may be empty.
        unit: What "seen" counts.
        level: Name and height of a loss that needs no model, drawn as a labelled line across.
    """
    lines = {name: points for name, points in curve.items() if points}
    values = [loss for points in lines.values() for _, loss in points]
    if not values:
        return Markup("")
    values += [] if level is None else [level[1]]
    pad = (max(values) - min(values)) * 0.06 or 0.1
    across = Scale(0.0, max(x for points in lines.values() for x, _ in points) or 1.0, LEFT, WIDTH - RIGHT)
    below = level is not None and _mostly_above(level[1], lines)
    # A label under the lowest line needs room there.
    up = Scale(min(values) - pad * (2.5 if below else 1), max(values) + pad, HEIGHT - BOTTOM, TOP)
    parts = axes(across, up, unit)
    ends: list[tuple[str, float, float]] = []
    for name, points in sorted(lines.items(), reverse=True):
        drawn = [(across(x), up(y)) for x, y in points]
        if len(drawn) > 1:
            parts.append(el("polyline", points=" ".join(f"{x:g},{y:g}" for x, y in drawn), class_=f"line {name}"))
        if name == "heldout" or len(drawn) == 1:
            parts += [
                el("circle", el("title", f"{compact(x)} {unit}: {y:.3f}"), cx=px, cy=py, r=4, class_=f"dot {name}")
                for (x, y), (px, py) in zip(points, drawn, strict=True)
            ]
        ends.append((name, drawn[-1][1], points[-1][1]))
    if level is not None:
        parts += _level(level, up, below)
    parts += _direct_labels(ends)
    told = "; ".join(f"{_NAMES[name]} from {points[0][1]:.3f} to {points[-1][1]:.3f}" for name, points in lines.items())
    told += "" if level is None else f"; {level[0]}: {level[1]:.3f}"
    return figure(
        key,
        (WIDTH, HEIGHT),
        title=f"{label}: loss while training",
        description=f"Loss against {unit} seen: {told}.",
        parts=parts,
    )


_NAMES = {"train": "training", "heldout": "held-out"}


def axes(across: Scale, up: Scale, unit: str, tick: str = "{:g}") -> list[Markup]:
    """Lines across at round heights, `unit` below; the plot lies between LEFT, TOP and the margins."""
    parts = []
    for value in ticks(up.low, up.high):
        y = up(value)
        parts.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(text(LEFT - 8, y + 4, tick.format(value), "tick", "end"))
    for value in ticks(0.0, across.high, 4):
        parts.append(text(across(value), HEIGHT - BOTTOM + 18, compact(value) if value else "0", "tick", "middle"))
    parts.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM, class_="axis"))
    seen = unit if unit == "steps" else f"{unit} seen"
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, seen, "tick", "middle"))
    return parts


def _mostly_above(level: float, lines: Mapping[str, Points]) -> bool:
    """Whether the later half of the curves runs above `level`."""
    later = [loss for points in lines.values() for _, loss in points[len(points) // 2 :]]
    return sum(loss > level for loss in later) * 2 > len(later)


def _level(level: tuple[str, float], up: Scale, below: bool) -> list[Markup]:
    """The line across, its label at the right on the side that the curves leave free."""
    y = up(level[1])
    return [
        el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="chance"),
        text(WIDTH - RIGHT - 4, y + 16 if below else y - 7, f"{level[0]} {level[1]:.3f}", "word", "end"),
    ]


def _direct_labels(ends: Sequence[tuple[str, float, float]]) -> list[Markup]:
    """Name and last value at each line's end, pushed apart where the lines end close together."""
    parts: list[Markup] = []
    floor = float("-inf")
    for place, (name, y, value) in enumerate(sorted(ends, key=lambda end: end[1])):
        at = min(max(y, floor), HEIGHT - BOTTOM - 16 - 34 * (len(ends) - 1 - place))
        parts.append(text(WIDTH - RIGHT + 10, at - 1, _NAMES[name], f"label ink-{name}"))
        parts.append(text(WIDTH - RIGHT + 10, at + 14, f"{value:.3f}", "label value"))
        floor = at + 34
    return parts
