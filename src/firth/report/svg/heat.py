"""Attention as a grid of cells: the darker, the more of a row's attention goes to that column."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from firth.report.svg.draw import el, figure, text, text_width

LEVELS = 16
CELL, SIZE, GAP = 27.0, 13.0, 8.0
SMALL = 150.0

Weights = Sequence[Sequence[float]]


def attention_chart(key: str, title: str, pieces: Sequence[str], weights: Weights, top: float, model: str) -> Markup:
    """One head, large: rows look, columns are looked at; every cell tells its share on hover.

    Args:
        key: Unique in the page.
        title: Of the drawing.
        pieces: Labels of rows and columns alike.
        weights: (pieces, pieces) shares, each row sums to 1.
        top: The share that is drawn at full strength.
        model: Class of the colour.
    """
    widest = max(text_width(piece, SIZE) for piece in pieces) + 4
    # A column's label leans at 55 degrees: its height is its length's share and that of its letters.
    left, above = widest + GAP, widest * 0.82 + SIZE * 0.6 + GAP
    size = CELL * len(pieces)
    parts = [_frame(left, above, size)]
    for row, shares in enumerate(weights):
        parts.append(text(left - GAP, above + CELL * (row + 0.5) + 4.5, pieces[row], "label", "end"))
        for column, share in enumerate(shares):
            strength = _level(share, top)
            parts.append(
                el(
                    "rect",
                    el("title", f"{pieces[row]} → {pieces[column]}: {share:.1%}"),
                    x=left + CELL * column,
                    y=above + CELL * row,
                    width=CELL,
                    height=CELL,
                    fill_opacity=f"{strength / LEVELS:g}",
                    class_=f"cell m-{model}",
                )
            )
    for column, piece in enumerate(pieces):
        x, y = left + CELL * (column + 0.5) + 4, above - GAP
        parts.append(el("text", piece, transform=f"translate({x:g} {y:g}) rotate(-55)", class_="label"))
    most = max(((share, r, c) for r, row in enumerate(weights) for c, share in enumerate(row)), default=(0.0, 0, 0))
    told = f"{len(pieces)} pieces; strongest: {pieces[most[1]]} looks at {pieces[most[2]]} with {most[0]:.0%}."
    # The last slanted label reaches beyond its column.
    reach = (left + size + widest * 0.6, above + size + 1)
    return figure(key, reach, title=title, description=told, parts=parts, natural=True)


def head_thumbnail(key: str, title: str, weights: Weights, top: float, model: str) -> Markup:
    """One head, small: cells of one strength are one path, so that many heads stay a small page."""
    cell = SMALL / len(weights)
    runs: dict[int, list[str]] = {}
    for row, shares in enumerate(weights):
        for column, share in enumerate(shares):
            if strength := _level(share, top):
                runs.setdefault(strength, []).append(
                    f"M{cell * column:.1f} {cell * row:.1f}h{cell:.1f}v{cell:.1f}h-{cell:.1f}z"
                )
    parts = [_frame(0.0, 0.0, SMALL)]
    parts += [
        el("path", d="".join(runs[strength]), fill_opacity=f"{strength / LEVELS:g}", class_=f"cell m-{model}")
        for strength in sorted(runs)
    ]
    return figure(key, (SMALL, SMALL), title=title, description="Rows look, columns are looked at.", parts=parts)


def strength_key(key: str, top: float, even: float, model: str) -> Markup:
    """What the shades stand for, with the share that attention spread evenly would give."""
    width, box, height = 260.0, 14.0, 34.0
    parts = [_frame(0.0, 0.0, width, box)]
    steps = LEVELS
    for i in range(steps):
        parts.append(
            el(
                "rect",
                x=width * i / steps,
                y=0,
                width=width / steps,
                height=box,
                fill_opacity=f"{(i + 1) / steps:g}",
                class_=f"cell m-{model}",
            )
        )
    at = min(even / top, 1.0) * width if top else 0.0
    parts.append(el("line", x1=at, x2=at, y1=-2, y2=box + 4, class_="mark"))
    parts.append(text(min(max(at, 0.0), width * 0.6), box + 16, f"{even:.0%}, spread evenly", "tick"))
    parts.append(text(width, box + 16, f"{top:.0%}", "tick", "end"))
    return figure(key, (width, height), title="Key to the shades", description=f"0 to {top:.0%}.", parts=parts)


def _level(share: float, top: float) -> int:
    return min(LEVELS, round(LEVELS * share / top)) if top else 0


def _frame(x: float, y: float, width: float, height: float | None = None) -> Markup:
    return el("rect", x=x, y=y, width=width, height=width if height is None else height, class_="frame")
