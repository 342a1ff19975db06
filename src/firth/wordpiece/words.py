"""Words and how often they occur, after BERT's own normalisation and word cutting: exact, in bounded memory."""

from __future__ import annotations

import heapq
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from typing import IO, NamedTuple

from tokenizers import pre_tokenizers

from firth.wordpiece.library import Normalisation, tidy

CHUNKS = 1_000_000
"""Distinct runs between two blanks that are held before they are cut into words."""

HELD_WORDS = 3_000_000
"""Distinct words that are held before they are put into a file."""

MOST_WORDS = 1_500_000
"""Distinct words that are learned from: the most frequent, ties by code point."""

Counted = tuple[str, int]


class WordCounts(NamedTuple):
    """What was counted."""

    counts: dict[str, int]
    """By code point of the words, so that they are in the same order however the text was read."""
    distinct: int
    """Distinct words read, with those that are not in `counts` because they are rare."""
    total: int
    """Words read."""


def count_words(documents: Iterable[Sequence[str]], normalisation: Normalisation, most: int = MOST_WORDS) -> WordCounts:
    """Count the words of `documents`, each a list of sentences; the result does not depend on their order.

    Of more than `most` distinct words the most frequent are kept. Memory holds a bounded number of words; further
    ones wait, sorted, in temporary files.
    """
    words = _Words(normalisation)
    chunks: Counter[str] = Counter()
    with ExitStack() as stack:
        runs: list[IO[str]] = []
        for sentences in documents:
            # a blank is the one character at which normalised and raw text may be cut alike
            chunks.update(" ".join(sentences).replace("\n", " ").split(" "))
            if len(chunks) >= CHUNKS:
                words.add(chunks)
                chunks.clear()
                if len(words.counts) >= HELD_WORDS:
                    run = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", prefix="firth-words-"))
                    run.writelines(f"{word}\t{count}\n" for word, count in sorted(words.counts.items()))
                    runs.append(run)
                    words.counts.clear()
        words.add(chunks)
        if not runs and len(words.counts) <= most:
            return WordCounts(dict(sorted(words.counts.items())), len(words.counts), words.counts.total())
        distinct = total = 0

        def met() -> Iterator[Counted]:
            nonlocal distinct, total
            for word, count in _merged(runs, words.counts):
                distinct, total = distinct + 1, total + count
                yield word, count

        kept = heapq.nsmallest(most, met(), key=lambda counted: (-counted[1], counted[0]))
        return WordCounts(dict(sorted(kept)), distinct, total)


class _Words:
    """Counts of words, out of counts of the runs between two blanks: most of a text is runs met before."""

    def __init__(self, normalisation: Normalisation) -> None:
        self.counts: Counter[str] = Counter()
        self._normalise = normalisation.build().normalize_str
        self._cut = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

    def add(self, chunks: Counter[str]) -> None:
        normalise, cut, counts = self._normalise, self._cut, self.counts
        for chunk, count in chunks.items():
            for word, _ in cut(normalise(tidy(chunk))):
                counts[word] += count


def _merged(runs: Iterable[IO[str]], last: Counter[str]) -> Iterator[Counted]:
    """The words of all runs and their counts, by code point."""
    streams = [_read(run) for run in runs]
    merged = heapq.merge(*streams, iter(sorted(last.items())), key=itemgetter(0))
    for word, group in groupby(merged, key=itemgetter(0)):
        yield word, sum(count for _, count in group)


def _read(run: IO[str]) -> Iterator[Counted]:
    run.seek(0)
    for line in run:
        word, _, count = line.rpartition("\t")
        yield word, int(count)
