"""Cosines of pairs of one model beside the band in which random pairs lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from firth.report.svg.draw import Scale, el, figure, text, text_width, ticks

WIDTH = 440.0
ROW, SIZE = 21.0, 13.0
RIGHT, TOP, BOTTOM = 64.0, 34.0, 30.0


def antonym_chart(key: str, model: str, label: str, found: Mapping[str, Any]) -> Markup:
    """`found` is what `similar.antonyms` returns; pairs that the model does not know are left to the table."""
    pairs = sorted((row for row in found["pairs"] if "cosine" in row), key=lambda row: -row["cosine"])
    if not pairs:
        return Markup("")
    random = found["random"]
    names = [" – ".join(row["pair"]) for row in pairs]
    left = max(text_width(name, SIZE) for name in names) + 14
    values = [row["cosine"] for row in pairs] + [random["low"], random["high"], 0.0]
    across = Scale(min(values) - 0.05, max(values) + 0.03, left, WIDTH - RIGHT)
    bottom = TOP + ROW * len(pairs) + 4
    low, high = across(random["low"]), across(random["high"])
    parts = [el("rect", x=low, y=TOP - 8, width=high - low, height=bottom - TOP + 8, class_="band")]
    for value in ticks(across.low, across.high, 6):
        parts.append(el("line", x1=across(value), x2=across(value), y1=TOP - 8, y2=bottom, class_="grid"))
        parts.append(text(across(value), bottom + 18, f"{value:g}".replace("-", "−"), "tick", "middle"))
    parts.append(text((low + high) / 2, TOP - 14, "random pairs", "tick", "middle"))
    parts.append(text(WIDTH - 4, TOP - 14, "rank", "tick", "end"))
    parts.append(
        el("line", x1=across(random["mean"]), x2=across(random["mean"]), y1=TOP - 8, y2=bottom, class_="chance")
    )
    for i, (row, name) in enumerate(zip(pairs, names, strict=True)):
        y = TOP + ROW * (i + 0.5)
        x = across(row["cosine"])
        told = f"{name}: cosine {row['cosine']:.3f}, rank {row['rank']:,} and {row['rank_back']:,}"
        parts.append(
            el(
                "g",
                el("title", told),
                text(left - 10, y + 4, name, "label", "end"),
                el("line", x1=across(random["mean"]), x2=x, y1=y, y2=y, class_=f"stem m-{model}"),
                el("circle", cx=x, cy=y, r=4.5, class_=f"dot m-{model}"),
                text(WIDTH - 4, y + 4, f"{row['rank']:,}", "tick value", "end"),
            )
        )
    told = (
        f"{sum(row['cosine'] > random['high'] for row in pairs)} of {len(pairs)} pairs lie above 95 % of random pairs."
    )
    return figure(key, (WIDTH, bottom + BOTTOM), title=f"{label}: cosine of opposites", description=told, parts=parts)
