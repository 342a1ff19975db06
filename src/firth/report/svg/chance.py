"""Accuracy on held-out text, look by look, before the band in which guessing would land."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from firth.progress import compact
from firth.report.svg.draw import Scale, el, figure, text
from firth.report.svg.loss import HEIGHT, LEFT, RIGHT, WIDTH, axes

TOP, BOTTOM = 16.0, 40.0
NARROWEST = 0.15
"""The axis reaches at least so far on both sides of a guess, so that chance does not look like progress."""


def chance_chart(key: str, title: str, found: Mapping[str, Any]) -> Markup:
    """`found` is `pretraining.next_sentence`: `points` [[step, accuracy]]; `guess`, `low` and `high` of chance."""
    points = found["points"]
    if not points:
        return Markup("")
    guess = found["guess"]
    reach = max(NARROWEST, *(abs(y - guess) + 0.03 for y in (*(y for _, y in points), found["low"], found["high"])))
    across = Scale(0.0, max(x for x, _ in points) or 1.0, LEFT, WIDTH - RIGHT)
    up = Scale(guess - reach, guess + reach, HEIGHT - BOTTOM, TOP)
    top, bottom = up(found["high"]), up(found["low"])
    band = el("rect", x=LEFT, y=top, width=WIDTH - RIGHT - LEFT, height=bottom - top, class_="band")
    parts = [band, *axes(across, up, "steps", "{:.0%}")]
    parts.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=up(guess), y2=up(guess), class_="chance"))
    parts.append(text(LEFT + 6, top - 7, "chance", "tick"))
    drawn = [(across(x), up(y)) for x, y in points]
    if len(drawn) > 1:
        parts.append(el("polyline", points=" ".join(f"{x:g},{y:g}" for x, y in drawn), class_="line heldout"))
    parts += [
        el("circle", el("title", f"{compact(x)} steps: {y:.1%}"), cx=px, cy=py, r=4, class_="dot heldout")
        for (x, y), (px, py) in zip(points, drawn, strict=True)
    ]
    y = drawn[-1][1]
    parts.append(text(WIDTH - RIGHT + 10, y - 1, "held-out", "label ink-heldout"))
    parts.append(text(WIDTH - RIGHT + 10, y + 14, f"{100 * points[-1][1]:.1f} %", "label value"))
    told = f"Held-out accuracy {points[-1][1]:.1%} at the end; chance {found['low']:.1%} to {found['high']:.1%}."
    return figure(key, (WIDTH, HEIGHT), title=title, description=told, parts=parts)
