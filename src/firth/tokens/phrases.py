"""Phrases: pairs of words that stand together far more often than by chance become one word, `new york` → `new_york`.

Mikolov et al. 2013b, section 4, as the word2vec toolkit computes it: a pair is joined where

    (count(a b) − discount) / (count(a) · count(b)) · words of the text  >  threshold

counted on the training side, inside sentences, where no word stands between the two. Text is joined from left to right;
a joined word is not joined again in the same pass. A further pass sees the text of the one before, so that two make up
to four words one, and so on. Held-out text is joined by the pairs learnt on the training side. No word of `words.split`
holds an underscore, so that phrases and words cannot be confused.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.canonical import write_atomic
from firth.progress import Meter
from firth.tokens.counting import PIECE, Counting
from firth.tokens.phrase_kernels import count_pairs, enter_pairs, join_pairs
from firth.tokens.table import Codes

PHRASES = "phrases.tsv"
"""`pass<TAB>first<TAB>second<TAB>count<TAB>score`, by pass, highest score first, ties by code point."""

JOINT = "_"


class Phrase(NamedTuple):
    """A pair that is joined."""

    in_pass: int
    first: str
    second: str
    met: int
    score: float


class Pairs:
    """Neighbouring codes and how often they were met, at most `most` of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.keys = np.zeros(1 << 16, dtype=np.uint64)
        self.values = np.zeros(1 << 16, dtype=np.int64)
        self.used = 0
        self.dropped = self.below = 0

    def count(self, codes: Codes, entries: NDArray[np.int64], least: int, meter: Meter) -> None:
        """Count the pairs of `codes` whose words both occur `least` times or more.

        Where there are more than `most`, the rarest so far are forgotten, under a bar that rises by one each time.
        """
        for start in range(0, len(codes), PIECE):
            position, stop = start, min(start + PIECE, len(codes))
            while position < stop:
                position, self.used = count_pairs(
                    codes, position, stop, entries, least, self.keys, self.values, self.used
                )
                if position < stop:
                    self._keep(self.keys != 0, 2 * len(self.keys))
            while self.used > self.most:
                self.below = max(self.below, int(self.values[self.keys != 0].min())) + 1
                before = self.used
                self._keep(self.values >= self.below, len(self.keys))
                self.dropped += before - self.used
            meter.advance(stop - start)

    def _keep(self, which: NDArray[np.bool_], room: int) -> None:
        keys, values = self.keys[which], self.values[which]
        self.keys, self.values = np.zeros(room, dtype=np.uint64), np.zeros(room, dtype=np.int64)
        enter_pairs(keys, values, self.keys, self.values)
        self.used = len(keys)


class PhraseLearner:
    """The phrases learnt from the text of a first reading; each becomes an entry of its table of words."""

    def __init__(self, counted: Counting) -> None:
        self.counted = counted
        self.phrases: list[Phrase] = []
        self._dropped = self._below = 0

    def learn(self) -> None:
        """Learn phrases and join them in the training and the held-out text, in as many passes as the settings say."""
        settings = self.counted.settings.phrases
        for number in range(1, settings.passes + 1):
            train = self.counted.train
            pairs = Pairs(self.counted.settings.max_distinct)
            with Meter(f"phrases, pass {number} of {settings.passes}", train.size, "words") as meter:
                # a pair does not occur more often than its words: with fewer occurrences its score is not positive
                pairs.count(train.map(), self.counted.table.entries, settings.discount + 1, meter)
                self._dropped += pairs.dropped
                self._below = max(self._below, pairs.below)
                found = self._select(pairs, settings.threshold, settings.discount, number)
                meter.advance(0, f"{len(found)} phrases")
            if not len(found):
                break
            self._join(found)
        if self._dropped:
            print(f"words: {self._dropped} rare pairs of words were forgotten (words.max_distinct)", file=sys.stderr)

    def _select(self, pairs: Pairs, threshold: float, discount: int, number: int) -> NDArray[np.uint64]:
        """Keys of the pairs whose score is above `threshold`; they are noted as phrases and get codes."""
        taken = pairs.keys != 0
        keys, met = pairs.keys[taken], pairs.values[taken]
        first, second = (keys >> np.uint64(32)).astype(np.int64), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
        table = self.counted.table
        scores = (met - discount) / table.counts[first] / table.counts[second] * int(table.counts[1:].sum())
        above = scores > threshold
        keys, met, scores = keys[above], met[above], scores[above]
        phrases = [
            Phrase(number, one, other, times, score)
            for one, other, times, score in zip(
                table.names(first[above]), table.names(second[above]), met.tolist(), scores.tolist(), strict=True
            )
        ]
        order = sorted(range(len(phrases)), key=lambda i: (-phrases[i].score, phrases[i].first, phrases[i].second))
        self.phrases += (phrases[i] for i in order)
        ordered: NDArray[np.uint64] = keys[order]
        return ordered

    def _join(self, keys: NDArray[np.uint64]) -> None:
        words = self.counted.table
        # a_b + c and a + b_c are the same phrase, and become the same entry
        codes = np.array([words.entry(p.first + JOINT + p.second) for p in self.phrases[-len(keys) :]], dtype=np.int64)
        room = 1 << (2 * len(keys)).bit_length()
        table = np.zeros(room, dtype=np.uint64), np.zeros(room, dtype=np.int64)
        enter_pairs(keys, codes, *table)
        for file, counting in ((self.counted.train, True), (self.counted.heldout, False)):
            bounds = file.bounds
            join_pairs(file.map("r+"), bounds, *table, words.entries, counting)
            file.shrink(bounds)

    def save(self, path: Path) -> None:
        """Write the phrases to `path`; see `PHRASES`."""
        lines = (f"{p.in_pass}\t{p.first}\t{p.second}\t{p.met}\t{p.score:.6g}\n" for p in self.phrases)
        write_atomic(path, "".join(lines).encode())

    def report(self) -> dict[str, Any]:
        """How many phrases each pass learnt, and the pairs that were forgotten: how many, and under which count."""
        passes = range(1, self.counted.settings.phrases.passes + 1)
        learnt = [sum(phrase.in_pass == number for phrase in self.phrases) for number in passes]
        return {"learnt": learnt, "pruned_pairs": {"pairs": self._dropped, "below": self._below}}
