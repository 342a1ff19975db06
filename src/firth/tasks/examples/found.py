"""An example as a reader finds it, and the count of those that were left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firth.records import shortened
from firth.tasks.examples.files import Example


@dataclass(frozen=True, slots=True)
class Found:
    """One example of a file, with the value that says which others stay on one side with it.

    It has an id only where the file gives one.
    """

    example: Example
    group: str


class LeftOut:
    """Counts of examples by the reason why they were left out, each with its first one."""

    def __init__(self) -> None:
        self._table: dict[str, tuple[int, str]] = {}

    def add(self, reason: str, example: str) -> None:
        """One example was left out for `reason`."""
        count, first = self._table.get(reason, (0, shortened(example)))
        self._table[reason] = count + 1, first

    def table(self) -> list[dict[str, Any]]:
        """`[{"reason", "examples", "example"}]`, by reason."""
        return [
            {"reason": reason, "examples": count, "example": example}
            for reason, (count, example) in sorted(self._table.items())
        ]
