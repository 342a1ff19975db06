"""What a scorer found, and the files that it read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firth.canonical import file_sha256
from firth.packing import ByteCount, local, text_lines, unpacked


@dataclass(frozen=True)
class Result:
    """Scores in percent, as the official scorers print them; full precision.

    `types` holds the same by entity type (CoNLL-2003 only), `each` one record an example.
    """

    scorer: str
    scores: dict[str, float]
    counts: dict[str, int]
    notes: list[str]
    types: dict[str, dict[str, float]] = field(default_factory=dict)
    each: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All but `each`."""
        value = {"scorer": self.scorer, "scores": self.scores, "counts": self.counts, "notes": self.notes}
        return value | ({"types": self.types} if self.types else {})


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """`(number, line)` of a text file, without the line's end."""
    source = local(path)
    with unpacked(source, ByteCount()) as stream:
        for number, line in text_lines(stream, source.where):
            yield number, line.removesuffix("\n")


def digest(path: Path) -> dict[str, str]:
    """`{"file", "sha256"}` of the file as it is stored."""
    return {"file": str(path), "sha256": file_sha256(path)}


def row_count(rows: int, official: int) -> str:
    """How much of an official file that is: `8,837 of 9,832 (subset)`."""
    said = "full" if rows == official else "subset" if rows < official else "more than the official file"
    return f"{rows:,} of {official:,} ({said})"
