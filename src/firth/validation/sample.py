"""A seeded sample of documents: the ones with the smallest keyed hashes, the same whatever the shards' sizes."""

from __future__ import annotations

import heapq
from hashlib import blake2b
from typing import Any

from firth.validation.characters import MARKUP, MISREAD, Measures, broken_at, excerpt


class Sample:
    """At most `size` documents, each with the same chance, in one pass; only their numbers and an excerpt are kept."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self._key = seed.to_bytes(8, "little")
        self._heap: list[tuple[int, int, dict[str, Any]]] = []

    def offer(self, number: int, doc_id: str, source: str, text: str, measures: Measures) -> None:
        """Take document `number` of the corpus, if its hash is among the smallest so far."""
        identity = f"{doc_id}\0{source}".encode("utf-8", "surrogatepass")
        rank = -int.from_bytes(blake2b(identity, key=self._key, digest_size=8).digest(), "little")
        if len(self._heap) < self.size:
            heapq.heappush(self._heap, (rank, -number, _row(doc_id, source, text, measures)))
        elif (rank, -number) > self._heap[0][:2]:
            heapq.heapreplace(self._heap, (rank, -number, _row(doc_id, source, text, measures)))

    def rows(self) -> list[dict[str, Any]]:
        """The sampled documents in reading order: ids, the judged columns, and for each column a telling excerpt."""
        return [row for _, _, row in sorted(self._heap, key=lambda entry: -entry[1])]


def _row(doc_id: str, source: str, text: str, measures: Measures) -> dict[str, Any]:
    markup, misread = MARKUP.findall(text), MISREAD.findall(text)
    first_markup, first_misread = MARKUP.search(text), MISREAD.search(text)
    has_words = measures.words > 0
    return {
        "doc_id": doc_id,
        "source": source,
        # A document without words is counted as empty; it has no ratios that one could judge.
        "document_letter_share": round(measures.letter_share, 6) if has_words else None,
        "document_mean_word_length": round(measures.mean_word_length, 6) if has_words else None,
        "document_broken_share": round(measures.broken_share, 6) if has_words else None,
        "markup_signs": len(markup),
        "misread_signs": len(misread),
        "excerpts": {
            "document_letter_share": excerpt(text),
            "document_mean_word_length": excerpt(text),
            "document_broken_share": excerpt(text, broken_at(text) if measures.broken else 0),
            "markup_signs": excerpt(text, first_markup.start() if first_markup else 0),
            "misread_signs": excerpt(text, first_misread.start() if first_misread else 0),
        },
    }
