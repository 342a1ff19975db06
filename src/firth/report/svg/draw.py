"""Small pieces of SVG: escaped elements, axes with round ticks, an estimate of a label's width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

NARROW = frozenset("fijlrtI.,:;'|!()[] ")
WIDE = frozenset("mwMW@%–")


def el(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """An element. Text children are escaped; `class_` and `stroke_width` stand for `class` and `stroke-width`."""
    written = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _number(value))
        for name, value in attributes.items()
        if value is not None
    )
    if not children:
        return Markup("<{}{}/>").format(tag, written)
    return Markup("<{}{}>{}</{}>").format(tag, written, Markup("").join(children), tag)


def text(x: float, y: float, content: str, class_: str = "label", anchor: str | None = None) -> Markup:
    """Text at a baseline point."""
    return el("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def figure(
    key: str, size: tuple[float, float], *, title: str, description: str, parts: Sequence[str], natural: bool = False
) -> Markup:
    """The outer `<svg>` of `size` (width, height); `title` and `description` are for those who do not see it.

    It is as wide as what it stands in; a `natural` one at most as wide as its size says.
    """
    return el(
        "svg",
        el("title", title, id=f"{key}-title"),
        el("desc", description, id=f"{key}-desc"),
        *parts,
        class_="chart natural" if natural else "chart",
        width=size[0] if natural else None,
        viewBox=f"0 0 {size[0]:g} {size[1]:g}",
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
    )


def text_width(content: str, size: float) -> float:
    """About how wide `content` is in a sans-serif of `size`; on the generous side."""
    units = sum(0.33 if c in NARROW else 0.88 if c in WIDE else 0.68 if c.isupper() else 0.57 for c in content)
    return units * size


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) inside [low, high]."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] of the data to [start, end] of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where `value` lies in the drawing."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".rstrip("0").rstrip(".")
