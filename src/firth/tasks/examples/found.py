"""An example as a reader finds it, and what is to be known of those that were left out or are there twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from firth.records import shortened
from firth.tasks.examples.files import Example


@dataclass(frozen=True, slots=True)
class Found:
    """One example of a file, with the value that says which others stay on one side with it.

    It has an id only where the file gives one, and a `line`, in which it begins, where the file is one of lines.
    """

    example: Example
    group: str
    line: int | None = None


class InFile(NamedTuple):
    """The examples of one file."""

    where: str
    """What leads error messages about it."""
    found: Sequence[Found]


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

    def __len__(self) -> int:
        return sum(count for count, _ in self._table.values())


def notes(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What the manifest of examples says beside their number, a line for each reason."""
    for row in manifest["left_out"]:
        yield f"left out {row['examples']} — {row['reason']} (such as {row['example']})"
    if repeats := manifest.get("repeats"):
        yield f"{repeats} of {manifest['available']['dev']} dev examples stand on the train side, too, word for word"
