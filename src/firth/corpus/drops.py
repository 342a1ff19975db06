"""What was left out, and why: counted by reason and source, with one example each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firth.records import shortened


@dataclass(slots=True)
class _Drop:
    documents: int
    words: int
    example: str


class Drops:
    """Counts of dropped documents; an example is the first document of its kind, so that it is always the same."""

    def __init__(self) -> None:
        self._table: dict[tuple[str, str], _Drop] = {}

    def add(self, reason: str, example: str, source: str = "", words: int = 0) -> None:
        """One document of `source` with `words` words was dropped for `reason`."""
        drop = self._table.get((source, reason))
        if drop is None:
            self._table[source, reason] = _Drop(1, words, shortened(example))
        else:
            drop.documents += 1
            drop.words += words

    def by_reason(self) -> list[dict[str, Any]]:
        """`[{"reason", "documents", "example"}]`, by reason: one source's drops, as `ingest` writes them."""
        return [
            {"reason": reason, "documents": drop.documents, "example": drop.example}
            for (_, reason), drop in sorted(self._table.items())
        ]

    def table(self) -> list[dict[str, Any]]:
        """`[{"reason", "source", "documents", "words", "example"}]`, by source and reason, as `prepare` writes them."""
        return [
            {
                "reason": reason,
                "source": source,
                "documents": drop.documents,
                "words": drop.words,
                "example": drop.example,
            }
            for (source, reason), drop in sorted(self._table.items())
        ]
