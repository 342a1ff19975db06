"""Numbers and names as people write them."""

from __future__ import annotations

import re

CORRELATIONS = ("matthews", "pearson", "spearman", "pearson_spearman")
"""Metrics from −1 to 1; the others are shares."""


def number(value: float | None) -> str:
    """`1,967,000`; an en dash for nothing."""
    return "–" if value is None else f"{value:,.0f}"


def score(value: float | None) -> str:
    """A correlation or cosine, `0.512`, with a true minus sign."""
    return "–" if value is None else signed(f"{value:.3f}")


def percent(value: float | None) -> str:
    """A share, `12.5 %`."""
    return "–" if value is None else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def measured(value: float | None, metric: str) -> str:
    """A score of `metric`: shares in percent, correlations as they are."""
    return score(value) if metric in CORRELATIONS else percent(value)


def hundredfold(value: float | None) -> str:
    """A score as published tables print it, times 100: `52.1`."""
    return "–" if value is None else signed(f"{100 * value:.1f}")


def extent(count: int, official: int | None) -> str:
    """How much of an official file that is: `2,500 of 8,551 (subset)`, `1,043 (full)`."""
    if official is None:
        return number(count)
    if count < official:
        return f"{count:,}\N{NO-BREAK SPACE}of {official:,} (subset)"
    return f"{count:,} (full)" if count == official else f"{count:,} (officially {official:,})"


def spoken(value: float) -> str:
    """A large number for a headline: `3.28 million`."""
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return number(value)


def section(name: str) -> str:
    """A section of the analogy file as people write it: `gram3-comparative` is `comparative`."""
    return re.sub(r"^gram\d+-", "", name).replace("-", " ")


def signed(text: str) -> str:
    """Hyphen-minus as a minus sign."""
    return text.replace("-", "−")


def capital(text: str) -> str:
    """`text` with a capital at its start, the rest as it is."""
    return text[:1].upper() + text[1:]
