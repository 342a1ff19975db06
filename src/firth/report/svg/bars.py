"""A few named shares as bars: what a model would put behind a blank."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from firth.report.svg.draw import Scale, el, figure, text, text_width

WIDTH, ROW = 300.0, 22.0
NAMES = 92.0
RIGHT = 56.0


def bar_chart(key: str, title: str, rows: Sequence[tuple[str, float]], widest: float, model: str) -> Markup:
    """One row a share; `widest` is the share as long as the whole drawing, the same in all charts side by side."""
    if not rows:
        return Markup("")
    left = max(NAMES, *(text_width(name, 13) for name, _ in rows)) + 10
    along = Scale(0.0, widest, left, WIDTH - RIGHT)
    parts = []
    for i, (name, share) in enumerate(rows):
        y = ROW * i
        end = max(along(share), left + 1)
        parts += [
            text(left - 10, y + 15, name, "label", "end"),
            el("rect", x=left, y=y + 4, width=end - left, height=ROW - 8, rx=1.5, class_=f"bar-fill m-{model}"),
            text(end + 7, y + 15, f"{100 * share:.1f} %", "tick value"),
        ]
    told = ", ".join(f"{name} {share:.1%}" for name, share in rows)
    return figure(key, (WIDTH, ROW * len(rows)), title=title, description=f"{told}.", parts=parts)
