"""The order of work: the id stream cut into blocks, and blocks through epochs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firth.word2vec.engine import Engine, Ids, Result
from firth.word2vec.sampling import SENTENCE


@dataclass(frozen=True)
class Block:
    """Ids `start` to `stop` of the stream, with `words` words among them, `before` words earlier in the stream."""

    start: int
    stop: int
    words: int
    before: int


@dataclass(frozen=True)
class Schedule:
    """`epochs` passes over `blocks`; a step is one block of one epoch."""

    blocks: tuple[Block, ...]
    epochs: int

    @classmethod
    def of(cls, stream: Ids, block_words: int, epochs: int) -> Schedule:
        """Blocks of about `block_words` ids that end where a sentence does, if one ends soon."""
        blocks: list[Block] = []
        start = before = 0
        while start < len(stream):
            stop = min(start + block_words, len(stream))
            ends = np.flatnonzero(stream[stop - 1 : stop - 1 + SENTENCE] < 0)
            stop += int(ends[0]) if len(ends) else 0
            words = int(np.count_nonzero(stream[start:stop] >= 0))
            blocks.append(Block(start, stop, words, before))
            start, before = stop, before + words
        return cls(tuple(blocks), epochs)

    @property
    def epoch_words(self) -> int:
        """Words of the stream."""
        return self.blocks[-1].before + self.blocks[-1].words if self.blocks else 0

    @property
    def total_words(self) -> int:
        """Words of all epochs."""
        return self.epoch_words * self.epochs

    def __len__(self) -> int:
        """Steps of the whole training."""
        return len(self.blocks) * self.epochs

    def at(self, step: int) -> tuple[int, int, Block]:
        """(epoch, index of the block, block) of `step`, counted from 0."""
        epoch, index = divmod(step, len(self.blocks))
        return epoch, index, self.blocks[index]

    def seen_before(self, step: int) -> int:
        """Corpus words, over all epochs, before `step`."""
        if step >= len(self):
            return self.total_words
        epoch, _, block = self.at(step)
        return epoch * self.epoch_words + block.before


def train_block(engine: Engine, stream: Ids, schedule: Schedule, step: int) -> Result:
    """Train `engine` on the block of `step`."""
    epoch, index, block = schedule.at(step)
    seen = schedule.seen_before(step)
    return engine.train(stream, block.start, block.stop, (epoch, index), seen, schedule.total_words)
