"""Exact statistics of a corpus, streamed over all of its shards, with example documents for what may be wrong.

Besides the running sums, memory holds 44 bytes a document: its number of words, for exact quantiles, and two
128-bit hashes, of its text and of its id, for exact duplicates.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from firth.config.text import Validation
from firth.validation.characters import Measures, broken_at, excerpt, measure
from firth.validation.sample import Sample

Cause = Literal["short", "empty", "broken", "long_words", "few_letters", "word_length", "duplicates", "repeated_ids"]
Example = dict[str, str]
EXAMPLES = 3
QUANTILES = {"min": 0.0, "p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5,
             "p75": 0.75, "p95": 0.95, "p99": 0.99, "max": 1.0}  # fmt: skip

_SUMS = ("documents", "words", "characters", "nonblank_characters", "letters", "broken_characters",
         "empty_documents", "long_word_documents")  # fmt: skip


@dataclass
class Statistics:
    """What was counted: one row for the corpus, one a source, one a shard, and the lengths of all documents."""

    total: dict[str, Any]
    sources: list[dict[str, Any]]
    shards: list[dict[str, Any]]
    words_per_document: dict[str, int]
    """Quantiles (the smallest length that at least this share of documents does not exceed), in words."""
    histogram: list[dict[str, int]]
    """Documents of `from` to `to` words, in bins of powers of two."""
    examples: dict[Cause, list[Example]]

    def as_json(self, corpus: str) -> dict[str, Any]:
        """`statistics.json`."""
        return {
            "corpus": corpus,
            "total": self.total,
            "sources": self.sources,
            "shards": self.shards,
            "words_per_document": self.words_per_document,
            "histogram": self.histogram,
        }


@dataclass
class _Worst:
    """The documents with the largest `badness`, earliest first among equals."""

    heap: list[tuple[float, int, Example]] = field(default_factory=list)

    def offer(self, badness: float, number: int, make: Callable[[], Example]) -> None:
        if len(self.heap) < EXAMPLES:
            heapq.heappush(self.heap, (badness, -number, make()))
        elif (badness, -number) > self.heap[0][:2]:
            heapq.heapreplace(self.heap, (badness, -number, make()))

    def listed(self) -> list[Example]:
        return [example for _, _, example in sorted(self.heap, key=lambda entry: (-entry[0], -entry[1]))]


class Collector:
    """Feed it every document of every shard, in order; `finish` gives the statistics."""

    def __init__(self, bounds: Validation) -> None:
        self.bounds = bounds
        self.sample = Sample(bounds.sample, bounds.seed)
        self._sources: dict[str, dict[str, Any]] = {}
        self._source_number: dict[str, int] = {}
        self._shards: list[dict[str, Any]] = []
        self._words = array("Q")
        self._source_of = array("I")
        self._texts = bytearray()
        self._ids = bytearray()
        self._worst: dict[Cause, _Worst] = {}

    def shard(self, name: str, documents: Iterable[dict[str, Any]]) -> None:
        """Count one shard's documents (`doc_id`, `source`, `text`)."""
        row = _empty_row({"shard": name})
        self._shards.append(row)
        for document in documents:
            source = document["source"] or ""
            if source not in self._sources:
                self._source_number[source] = len(self._sources)
                self._sources[source] = _empty_row({"source": source})
            self._add(document["doc_id"] or "", source, document["text"] or "", row)

    def _add(self, doc_id: str, source: str, text: str, shard_row: dict[str, Any]) -> None:
        measures = measure(text)
        number = len(self._words)
        source_row = self._sources[source]
        for row in (shard_row, source_row):
            _count(row, measures, self.bounds.max_word_length)
        self._words.append(measures.words)
        self._source_of.append(self._source_number[source])
        self._texts += _digest(text)
        self._ids += _digest(doc_id)
        self.sample.offer(number, doc_id, source, text, measures)
        self._look_for_examples(number, doc_id, text, measures)

    def _look_for_examples(self, number: int, doc_id: str, text: str, measures: Measures) -> None:
        def example(at: int = 0) -> Example:
            return {"doc_id": doc_id, "text": excerpt(text, at)}

        def offer(cause: Cause, badness: float, make: Callable[[], Example] = example) -> None:
            self._worst.setdefault(cause, _Worst()).offer(badness, number, make)

        if not measures.words:
            offer("empty", 0.0)
            return
        offer("short", -measures.words)
        if measures.broken:
            offer("broken", measures.broken_share, lambda: example(broken_at(text)))
        if measures.longest > self.bounds.max_word_length:
            offer("long_words", measures.longest, lambda: example(text.find(max(text.split(), key=len))))
        if measures.letter_share < self.bounds.min_letter_share:
            offer("few_letters", -measures.letter_share)
        low, high = self.bounds.mean_word_length
        if not low <= measures.mean_word_length <= high:
            offer("word_length", max(low - measures.mean_word_length, measures.mean_word_length - high))

    def finish(self, examples_at: Callable[[list[int]], list[dict[str, Any]]]) -> Statistics:
        """The statistics; `examples_at(numbers)` reads documents again by their number, for examples of duplicates."""
        words = np.frombuffer(self._words, dtype=np.uint64).astype(np.int64)
        source_of = np.frombuffer(self._source_of, dtype=np.uint32)
        duplicate = _repeated(self._texts) & (words > 0)
        repeated = _repeated(self._ids)
        edges = np.cumsum([0, *(row["documents"] for row in self._shards)])
        by_source = [np.bincount(source_of[mask], minlength=len(self._sources)) for mask in (duplicate, repeated)]
        for row, duplicates, repeats in zip(self._sources.values(), *by_source, strict=True):
            _close(row, int(duplicates), int(repeats))
        for row, (start, end) in zip(self._shards, pairwise(edges), strict=True):
            _close(row, int(duplicate[start:end].sum()), int(repeated[start:end].sum()))
        total = _empty_row({})
        for row in self._shards:
            for name in _SUMS:
                total[name] += row[name]
            total["longest_word"] = max(total["longest_word"], row["longest_word"])
        _close(total, int(duplicate.sum()), int(repeated.sum()))
        examples = {cause: worst.listed() for cause, worst in self._worst.items()}
        late: tuple[tuple[Cause, NDArray[np.bool_]], ...] = (("duplicates", duplicate), ("repeated_ids", repeated))
        for cause, mask in late:
            numbers = np.flatnonzero(mask)[:EXAMPLES].tolist()
            documents = examples_at(numbers) if numbers else []
            examples[cause] = [{"doc_id": found["doc_id"], "text": excerpt(found["text"])} for found in documents]
        return Statistics(
            total=total,
            sources=sorted(self._sources.values(), key=lambda row: str(row["source"])),
            shards=self._shards,
            words_per_document=_quantiles(words),
            histogram=_histogram(words),
            examples=examples,
        )


def _empty_row(start: dict[str, Any]) -> dict[str, Any]:
    return start | dict.fromkeys(_SUMS, 0) | {"longest_word": 0}


def _count(row: dict[str, Any], measures: Measures, max_word_length: int) -> None:
    row["documents"] += 1
    row["words"] += measures.words
    row["characters"] += measures.characters
    row["nonblank_characters"] += measures.nonblank
    row["letters"] += measures.letters
    row["broken_characters"] += measures.broken
    row["empty_documents"] += measures.words == 0
    row["long_word_documents"] += measures.longest > max_word_length
    row["longest_word"] = max(row["longest_word"], measures.longest)


def _close(row: dict[str, Any], duplicates: int, repeated_ids: int) -> None:
    """Add what is known at the end only: duplicates, and the shares (0 where there is nothing to share)."""

    def share(part: int, whole: int) -> float:
        return round(part / whole, 6) if whole else 0.0

    documents = row["documents"]
    row["duplicate_documents"] = duplicates
    row["repeated_ids"] = repeated_ids
    row["empty_share"] = share(row["empty_documents"], documents)
    row["duplicate_share"] = share(duplicates, documents)
    row["long_word_share"] = share(row["long_word_documents"], documents)
    row["broken_share"] = share(row["broken_characters"], row["characters"])
    row["letter_share"] = share(row["letters"], row["nonblank_characters"])
    row["mean_word_length"] = share(row["nonblank_characters"], row["words"])


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _repeated(digests: bytearray) -> NDArray[np.bool_]:
    """Which 16-byte digests were seen before: (documents,)."""
    pairs = np.frombuffer(digests, dtype=[("high", "<u8"), ("low", "<u8")])
    order = np.lexsort((pairs["low"], pairs["high"]))  # stable: equal ones stay in reading order
    ordered = pairs[order]
    seen = np.zeros(len(pairs), dtype=np.bool_)
    seen[order[1:]] = ordered[1:] == ordered[:-1]
    return seen


def _quantiles(words: NDArray[np.int64]) -> dict[str, int]:
    if not len(words):
        return dict.fromkeys(QUANTILES, 0)
    found = np.quantile(words, list(QUANTILES.values()), method="inverted_cdf")
    return {name: int(value) for name, value in zip(QUANTILES, found, strict=True)}


def _histogram(words: NDArray[np.int64]) -> list[dict[str, int]]:
    if not len(words):
        return []
    bins = int(words.max()).bit_length() + 1
    lengths = np.frexp(words.astype(np.float64))[1]  # 0 for 0, 1 for 1, 2 for 2–3, 3 for 4–7 …: exact below 2**53
    counts = np.bincount(lengths, minlength=bins)
    return [
        {"from": 1 << (size - 1) if size else 0, "to": (1 << size) - 1, "documents": int(counts[size])}
        for size in range(bins)
    ]
