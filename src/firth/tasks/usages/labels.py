"""Labels and tags of the train side: which there are, and which is the most frequent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from firth.errors import DataError
from firth.tasks.examples.files import Examples


def most_frequent(labels: Sequence[str] | Counter[str]) -> str:
    """The most frequent of `labels`, of equally frequent ones the first by code point."""
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def at_least_two(labels: Sequence[str], examples: Examples) -> list[str]:
    """The different ones of the train side's `labels`, sorted.

    Raises:
        DataError: there is one only.
    """
    found = sorted(set(labels))
    if len(found) < 2:
        raise DataError(
            f"the train side has only the label {found[0]!r}: nothing to tell apart", examples.manifest["task"]
        )
    return found
