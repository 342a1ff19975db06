"""Sentences that a task's dev texts hold too: what models are scored on must not be what they were trained on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.textkeys import normalised

SHORTEST_WHOLE = 6
"""A dev text of at least so many words, and fewer than a run has, counts as a run as a whole."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])\w)+")
_UNKNOWN = 0x5851F42D4C957F2D
"""Stands for every word that no dev text has."""
_BASE = 0x9E3779B97F4A7C15

Hashes = NDArray[np.uint64]


class Match(NamedTuple):
    """A sentence that was taken out, and the task whose dev text it shares a run of words with."""

    sentence: str
    task: str


class DevTexts:
    """The runs of words of dev texts, as hashes: 8 bytes a run and the vocabulary, whatever the size of the corpus.

    Words are compared without case and punctuation; a Chinese or Japanese character is a word. Hashes have 64 bits: a
    sentence that shares no run is found by accident once in about 10^19 / (runs x words of the corpus) corpora.

    Args:
        texts: the dev texts of each task; where tasks share a run, the first is named.
        words: length of a run. A shorter text of at least `SHORTEST_WHOLE` words is one run.
    """

    def __init__(self, texts: Mapping[str, Iterable[str]], words: int) -> None:
        self._tasks = list(texts)
        self._known: dict[str, int] = {}
        self._powers = _powers(max(words, SHORTEST_WHOLE))
        texts_of_length: dict[int, list[tuple[Hashes, int]]] = {}
        for task, listed in enumerate(texts.values()):
            for text in listed:
                values = np.array([self._learnt(word) for word in words_of(text)], np.uint64)
                if len(values) >= min(words, SHORTEST_WHOLE):
                    texts_of_length.setdefault(min(words, len(values)), []).append((values, task))
        self._shortest = min(texts_of_length, default=0)
        self._runs: dict[int, tuple[Hashes, NDArray[np.int64]]] = {}
        beginnings = [np.empty(0, np.uint64)]
        for length, found in texts_of_length.items():
            runs = [self._windows(values, length) for values, _ in found]
            distinct, first = np.unique(np.concatenate(runs), return_index=True)
            owners = np.repeat([task for _, task in found], [len(part) for part in runs])
            self._runs[length] = distinct, owners[first]
            beginnings += [self._windows(values, self._shortest) for values, _ in found]
        # Every run begins with one of these: only there is the rest of a run looked at.
        self._beginnings = np.unique(np.concatenate(beginnings))

    def without(self, sentences: Sequence[str]) -> tuple[list[str], list[Match]]:
        """`sentences` (of one document, in order) that share no run with a dev text, and those that do.

        A run may reach over the ends of sentences: every sentence that it touches is taken out. This is repeated until
        what is left, read as one text, holds no run.
        """
        kept, taken = list(sentences), []
        while touched := self._touched(kept):
            taken += [Match(kept[index], self._tasks[task]) for index, task in sorted(touched.items())]
            kept = [sentence for index, sentence in enumerate(kept) if index not in touched]
        return kept, taken

    def _touched(self, sentences: Sequence[str]) -> dict[int, int]:
        """Sentences (by index) that a run touches, with the first task that has it."""
        words = [words_of(sentence) for sentence in sentences]
        known = self._known
        values = np.array([known.get(word, _UNKNOWN) for word in chain.from_iterable(words)], np.uint64)
        if not self._shortest or len(values) < self._shortest:
            return {}
        starts = np.flatnonzero(_places(self._beginnings, self._windows(values, self._shortest)) >= 0)
        if not len(starts):
            return {}
        sentence_of = np.repeat(np.arange(len(words)), [len(found) for found in words])
        touched: dict[int, int] = {}
        for length, (runs, owners) in self._runs.items():
            inside = starts[starts + length <= len(values)]
            hashes = (values[inside[:, None] + np.arange(length)] * self._powers[:length]).sum(axis=1, dtype=np.uint64)
            places = _places(runs, hashes)
            for start, place in zip(inside[places >= 0], places[places >= 0], strict=True):
                for index in range(sentence_of[start], sentence_of[start + length - 1] + 1):
                    touched[index] = min(touched.get(index, len(self._tasks)), int(owners[place]))
        return touched

    def _windows(self, values: Hashes, length: int) -> Hashes:
        """The hash of each run of `length` words: the sum of its words' hashes, each times a power of the base."""
        count = len(values) - length + 1
        total = np.zeros(max(count, 0), np.uint64)
        for offset in range(length if count > 0 else 0):
            total += values[offset : offset + count] * self._powers[offset]
        return total

    def _learnt(self, word: str) -> int:
        if word not in self._known:
            digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
            self._known[word] = int.from_bytes(digest, "big")
        return self._known[word]


def words_of(text: str) -> list[str]:
    """The words of `text` as they are compared."""
    return _WORD.findall(normalised(text))


def _places(ordered: Hashes, asked: Hashes) -> NDArray[np.int64]:
    """Where each of `asked` is in `ordered`; −1 where it is not."""
    if not len(ordered):
        return np.full(len(asked), -1)
    places = np.minimum(np.searchsorted(ordered, asked), len(ordered) - 1)
    return np.where(ordered[places] == asked, places, -1)


def _powers(count: int) -> Hashes:
    powers = [1]
    while len(powers) < count:
        powers.append(powers[-1] * _BASE % 2**64)
    return np.array(powers, np.uint64)
