"""The order of an epoch: its chunks of text, and where in a seeded order each of them stands.

One compiled pass over the lengths of the sentences (about 10 ns each) says which sentences form a chunk; from then on
every instance of the epoch is found in constant time. A chunk takes 14 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.bert.data import kernels
from firth.bert.data.text import Offsets, Text
from firth.training.splitmix import stream_start

PLAN, ORDER, PAIR, MASK, DROPOUT, WEIGHTS = range(1, 7)
"""What random numbers are for: the second part of every key, behind the seed."""

FULL = 1 << 32
"""Shares are compared with 32 random bits."""


@dataclass(frozen=True)
class Plan:
    """The chunks of one epoch; see `kernels.plan_pairs` and `kernels.plan_segments`."""

    epoch: int
    pairs: bool
    firsts: Offsets
    """(chunks,): first sentence of a chunk of pairs, first token of a single segment."""
    shapes: NDArray[np.uint16]
    """(chunks, 3): sentences of A and of B, or tokens and 0; target length."""
    order_key: np.uint64

    @classmethod
    def of(cls, text: Text, seed: int, epoch: int, longest: int, short: float, pairs: bool) -> Plan:
        """The plan of `epoch`: a function of its arguments alone.

        Args:
            text: what is cut.
            seed: of the training.
            epoch: from 0.
            longest: most tokens of an instance, without special ones.
            short: share of chunks whose target is a random, shorter length.
            pairs: chunks of sentences for A and B, not single segments.
        """
        cut = kernels.plan_pairs if pairs else kernels.plan_segments
        base, threshold = np.uint64(stream_start(seed, PLAN, epoch)), np.uint64(round(short * FULL))
        firsts, shapes = np.empty(0, dtype=np.int64), np.empty((0, 3), dtype=np.uint16)
        count = cut(text.sentences, text.documents, base, longest, threshold, firsts, shapes)
        firsts, shapes = np.empty(count, dtype=np.int64), np.empty((count, 3), dtype=np.uint16)
        cut(text.sentences, text.documents, base, longest, threshold, firsts, shapes)
        return cls(epoch, pairs, firsts, shapes, np.uint64(stream_start(seed, ORDER, epoch)))

    def __len__(self) -> int:
        """Instances of the epoch."""
        return len(self.firsts)


@dataclass(frozen=True)
class Cursor:
    """The next instance: `index` of `epoch`."""

    epoch: int = 0
    index: int = 0

    def take(self, plan: Plan, count: int) -> tuple[NDArray[np.int64], Cursor]:
        """Up to `count` indexes of this epoch's `plan`, and the cursor behind them."""
        stop = min(self.index + count, len(plan))
        after = Cursor(self.epoch + 1) if stop == len(plan) else Cursor(self.epoch, stop)
        return np.arange(self.index, stop, dtype=np.int64), after


def parts(count: int, size: int) -> Iterator[slice]:
    """Slices of `size` that cover `count`."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
