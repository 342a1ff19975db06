"""Where labels go so that they can be read: beside their point, clear of each other; one without room is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firth.report.svg.draw import text_width


@dataclass(frozen=True)
class Label:
    """A placed label: `x`, `y` is its baseline point, `anchor` start, middle or end."""

    text: str
    x: float
    y: float
    anchor: str


Box = tuple[float, float, float, float]


def place(
    points: Sequence[tuple[float, float, str]],
    size: float,
    bounds: Box,
    *,
    gap: float = 6.0,
    keep_all: bool = False,
    avoid: Sequence[Box] = (),
) -> list[Label | None]:
    """Place labels in the order given: earlier ones (more frequent words) choose first.

    Args:
        points: x, y and text of each point.
        size: Font size.
        bounds: left, top, right, bottom that no label may cross.
        gap: Distance between a point and its label.
        avoid: Boxes that labels should not cover, beside the points.
        keep_all: Put a label without room where it covers least, instead of leaving it out.

    Returns:
        A label for each point, None where it was left out.
    """
    dots: list[Box] = [(x - 3, y - 3, x + 3, y + 3) for x, y, _ in points]
    dots += avoid
    taken: list[Box] = []
    placed: list[Label | None] = []
    for own, point in enumerate(points):
        best: tuple[float, Label, Box] | None = None
        for rank, (label, box) in enumerate(_candidates(point, size, gap)):
            outside = _outside(box, bounds)
            if outside and not keep_all:
                continue
            cover = sum(_overlap(box, other) for other in taken) * 4 + outside * 8
            cover += sum(_overlap(box, dot) for i, dot in enumerate(dots) if i != own)
            cost = cover + rank * 0.5
            if best is None or cost < best[0]:
                best = (cost, label, box)
        if best is None or (not keep_all and best[0] > _allowed(size)):
            placed.append(None)
            continue
        placed.append(best[1])
        taken.append(best[2])
    return placed


def _allowed(size: float) -> float:
    """How much cost a label may have: the tail of the candidate list and a touch of a dot, but no other label."""
    return 4.0 + size


def _candidates(point: tuple[float, float, str], size: float, gap: float) -> list[tuple[Label, Box]]:
    """Right, left, above, below, then the corners."""
    x, y, content = point
    width = text_width(content, size)
    up, down, level = y - gap, y + gap + size * 0.7, y + size * 0.34
    spots = [
        (x + gap, level, "start"),
        (x - gap, level, "end"),
        (x, up, "middle"),
        (x, down, "middle"),
        (x + gap * 0.6, up + 1, "start"),
        (x + gap * 0.6, down - 1, "start"),
        (x - gap * 0.6, up + 1, "end"),
        (x - gap * 0.6, down - 1, "end"),
    ]
    found = []
    for left, baseline, anchor in spots:
        start = {"start": left, "middle": left - width / 2, "end": left - width}[anchor]
        box = (start - 2, baseline - size * 0.8, start + width + 2, baseline + size * 0.25)
        found.append((Label(content, round(left, 1), round(baseline, 1), anchor), box))
    return found


def _overlap(a: Box, b: Box) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return wide * high if wide > 0 and high > 0 else 0.0


def _outside(box: Box, bounds: Box) -> float:
    return (
        max(0.0, bounds[0] - box[0])
        + max(0.0, bounds[1] - box[1])
        + max(0.0, box[2] - bounds[2])
        + max(0.0, box[3] - bounds[3])
    )
