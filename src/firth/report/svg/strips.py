"""Groups of cosines under each other: how they spread, each pair as a dot, the mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from firth.report.svg.draw import Scale, el, figure, text, text_width, ticks

WIDTH = 440.0
LEFT, RIGHT, TOP, BOTTOM = 92.0, 14.0, 10.0, 30.0
RIDGE, STRIP, BELOW, GAP = 48.0, 32.0, 16.0, 8.0
"""Heights of a group's curve, of its dots, of the names under them, and of the blank before the next group."""

RADIUS, SIZE = 2.3, 12.0
EDGE = 0.08
"""Beyond the outermost cosines, where the curves run out."""
STEPS = 72
NAMES = {"antonym": "Opposites", "synonym": "Synonyms", "random": "Random pairs"}


def strip_chart(
    key: str, model: str, label: str, study: Mapping[str, Any], limits: tuple[float, float] | None = None
) -> Markup:
    """`study` is what `antonym_study` returns; nothing where it covers no pair.

    Args:
        key: Unique in the page.
        model: Of the colour.
        label: Of the model, for the title.
        study: Cosines of opposites, synonyms and random pairs.
        limits: Smallest and largest cosine on the axis, so that several models can be compared.
    """
    if not study["covered"]:
        return Markup("")
    rows = [row for row in study["rows"] if "cosine" in row]
    points = {
        kind: sorted((row["cosine"][kind], row["word"], row[kind]) for row in rows) for kind in ("antonym", "synonym")
    }
    values = {kind: [point[0] for point in found] for kind, found in points.items()} | {"random": study["random"]}
    across = Scale(*(limits or span([study])), LEFT, WIDTH - RIGHT)
    curves = {kind: curve for kind, found in values.items() if (curve := _curve(found, across))}
    highest = max((height for curve in curves.values() for _, height in curve), default=1.0)
    heights = {"antonym": RIDGE + STRIP + BELOW + GAP, "synonym": RIDGE + STRIP + GAP, "random": RIDGE + 16.0}
    bottom = TOP + sum(heights.values())
    parts: list[Markup] = []
    for value in ticks(across.low, across.high, 6):
        x = across(value)
        parts.append(el("line", x1=x, x2=x, y1=TOP, y2=bottom, class_="chance" if value == 0 else "grid"))
        parts.append(text(x, bottom + 18, f"{value:g}".replace("-", "−"), "tick", "middle"))
    y = TOP
    for kind, name in NAMES.items():
        base = y + RIDGE
        group = study["kinds"][kind]
        parts.append(text(0, base - 12, name, "label"))
        parts.append(text(0, base + 3, f"{group['pairs']} pairs", "tick"))
        if kind in curves:
            parts.append(_ridge(curves[kind], across, base, highest, kind, model))
        if kind == "random":
            drawn = " ".join(f"M{across(value):g} {base + 5:g}v6" for value in values[kind])
            parts.append(el("path", d=drawn, class_="rug"))
        else:
            parts += _dots(points[kind], across, base, kind, model)
        parts.append(_mean(group, across, base, name))
        y += heights[kind]
    told = "; ".join(
        f"{name}: mean {group['mean']:.3f} ({group['low']:.3f} to {group['high']:.3f})"
        for kind, name in NAMES.items()
        if (group := study["kinds"][kind])["mean"] is not None
    )
    return figure(
        key,
        (WIDTH, bottom + BOTTOM),
        title=f"{label}: cosines of opposites, synonyms and random pairs",
        description=f"Means with 95 % intervals. {told}.",
        parts=parts,
    )


def span(studies: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Limits within which the cosines of all `studies` lie."""
    found = [0.0]
    for study in studies:
        found += study["random"]
        found += [value for row in study["rows"] if "cosine" in row for value in row["cosine"].values()]
    return min(found) - EDGE, max(found) + EDGE


def _curve(values: Sequence[float], across: Scale) -> list[tuple[float, float]]:
    """Density of `values` by Gaussian kernels of Silverman's width (1986, equation 3.31); none where all are equal."""
    count = len(values)
    if count < 2:
        return []
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    ordered = sorted(values)
    quartiles = (ordered[(3 * count) // 4] - ordered[count // 4]) / 1.349
    width = 0.9 * min(spread, quartiles or spread) * count**-0.2
    if width <= 0:
        return []
    steps = [across.low + (across.high - across.low) * i / STEPS for i in range(STEPS + 1)]
    return [
        (x, math.fsum(math.exp(-0.5 * ((x - value) / width) ** 2) for value in values) / (count * width)) for x in steps
    ]


def _ridge(
    curve: Sequence[tuple[float, float]], across: Scale, base: float, highest: float, kind: str, model: str
) -> Markup:
    corners = [(across(x), base - (RIDGE - 6) * height / highest) for x, height in curve]
    drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)
    left, right = corners[0][0], corners[-1][0]
    shade = "m-random" if kind == "random" else f"m-{model}"
    return el("path", d=f"M{left:.1f} {base:.1f}L{drawn}L{right:.1f} {base:.1f}Z", class_=f"ridge {shade}")


def _dots(points: Sequence[tuple[float, str, str]], across: Scale, base: float, kind: str, model: str) -> list[Markup]:
    """A dot a pair, stacked downwards where dots would lie on each other; opposites also named at both ends."""
    lanes: list[float] = []
    most = int((STRIP - 4) // (2 * RADIUS))
    parts = []
    for cosine, first, second in points:
        x = across(cosine)
        lane = next((i for i, last in enumerate(lanes) if x - last >= 2 * RADIUS), len(lanes))
        lane = lane if lane < most else min(range(most), key=lambda i: lanes[i])
        lanes[lane : lane + 1] = [x]
        y = base + 4 + RADIUS + 2 * RADIUS * lane
        hollow = " hollow" if kind == "synonym" else ""
        said = el("title", f"{first} – {second}: cosine {cosine:.3f}".replace("-", "−"))
        parts.append(el("circle", said, cx=x, cy=y, r=RADIUS, class_=f"dot pair{hollow} m-{model}"))
    if kind == "antonym":
        parts += _ends(points, across, base)
    return parts


def _ends(points: Sequence[tuple[float, str, str]], across: Scale, base: float) -> list[Markup]:
    """The farthest and the nearest pair, by name, where both find room."""
    (low, *far), (high, *near) = points[0], points[-1]
    y = base + STRIP + 10
    start, end = across(low) - RADIUS, across(high) + RADIUS
    left, right = " – ".join(far), " – ".join(near)
    if start + text_width(left, SIZE) + 12 + text_width(right, SIZE) > end:
        return [text(end, y, right, "tick word", "end")]
    return [text(start, y, left, "tick word"), text(end, y, right, "tick word", "end")]


def _mean(group: Mapping[str, Any], across: Scale, base: float, name: str) -> Markup:
    if group["mean"] is None:
        return Markup("")
    low, mean, high = (across(group[key]) for key in ("low", "mean", "high"))
    told = f"{name}: mean {group['mean']:.3f}, 95 % interval {group['low']:.3f} to {group['high']:.3f}"
    return el(
        "g",
        el("title", told.replace("-", "−")),
        el("line", x1=low, x2=high, y1=base, y2=base, class_="mean-interval"),
        el("line", x1=mean, x2=mean, y1=base - RIDGE + 12, y2=base + 3, class_="mark"),
        text(mean, base - RIDGE + 8, f"{group['mean']:.2f}".replace("-", "−"), "tick value word", "middle"),
    )
