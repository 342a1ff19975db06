"""What a stretch of the id stream gives to train on, in plain Python: the same draws in the same order as the kernels.

A draw is 64 bits of splitmix64 (`training.splitmix`). A sentence costs one draw a word read (subsampling), then, if two
words or more are kept: the noise of its first centre; and for each centre the noise drawn again where it is the centre
itself, the noise of the next centre, and how far the window reaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.training.splitmix import GOLDEN, MASK, mix
from firth.word2vec.engine import Ids
from firth.word2vec.sampling import FULL, REDRAWS, SENTENCE, AliasTable


class Chance:
    """The kernels' generator: the state is a counter, a draw is the counter well mixed."""

    def __init__(self, state: int) -> None:
        self.state = state

    def draw(self) -> int:
        """64 random bits."""
        self.state = (self.state + GOLDEN) & MASK
        return mix(self.state)

    def below(self, size: int) -> int:
        """An integer from 0 to `size` − 1."""
        return ((self.draw() >> 32) * size) >> 32

    def noise(self, table: AliasTable) -> int:
        """A word of the noise distribution: the upper half of the bits picks the slot, the lower one decides."""
        draw = self.draw()
        slot = ((draw >> 32) * len(table.thresholds)) >> 32
        return slot if (draw & FULL) <= int(table.thresholds[slot]) else int(table.others[slot])

    def other_than(self, word: int, noise: int, table: AliasTable) -> int:
        """`noise`, drawn again while it is `word`; after `REDRAWS` times any other word."""
        tries = 0
        while noise == word:
            size = len(table.thresholds)
            noise = self.noise(table) if tries < REDRAWS else (word + 1 + self.below(size - 1)) % size
            tries += 1
        return noise


@dataclass(frozen=True)
class Example:
    """A centre `word`, the `contexts` in its window, its `noise`; `before` corpus words of the stretch came earlier.

    `before` counts up to the start of the sentence: the learning rate is set once a sentence.
    """

    word: int
    contexts: list[int]
    noise: list[int]
    before: int


@dataclass(frozen=True)
class Reading:
    """How a stream becomes examples: thresholds of subsampling (vocabulary,), largest window, noise words a centre.

    With `negatives` 0, for objectives without noise, no noise is drawn.
    """

    keep: NDArray[np.uint32]
    window: int
    noise: AliasTable
    negatives: int

    def examples(self, stream: Ids, start: int, stop: int, state: int) -> Iterator[Example]:
        """The examples of `stream[start:stop]`, whose ids are valid, with the generator starting at `state`."""
        chance, position, before = Chance(state), start, 0
        while position < stop:
            kept: list[int] = []
            read = 0
            while position < stop and len(kept) < SENTENCE:
                word = int(stream[position])
                position += 1
                if word < 0:
                    break
                read += 1
                if chance.draw() >> 32 <= int(self.keep[word]):
                    kept.append(word)
            if len(kept) >= 2:
                yield from self._of_sentence(kept, before, chance)
            before += read

    def _of_sentence(self, sentence: list[int], before: int, chance: Chance) -> Iterator[Example]:
        ahead = [chance.noise(self.noise) for _ in range(self.negatives)]
        for centre, word in enumerate(sentence):
            noise = [chance.other_than(word, drawn, self.noise) for drawn in ahead]
            if centre + 1 < len(sentence):
                ahead = [chance.noise(self.noise) for _ in range(self.negatives)]
            reach = 1 + chance.below(self.window)
            contexts = sentence[max(0, centre - reach) : centre] + sentence[centre + 1 : centre + 1 + reach]
            yield Example(word, contexts, noise, before)
