"""How the processes of a training share a step: by its micro batches, whatever they hold.

Micro batch m of a step goes to process m modulo their number. Processes that are left without one in the last round get
a spare one, of which nothing is predicted: all make equally many passes through the model, so that none waits for a
pass that another never makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from firth.bert.packing import IGNORED, PackedBatch

SPARE = -1
"""In place of a micro batch's number."""


@dataclass(frozen=True)
class Share:
    """What one of `count` processes takes of each step."""

    rank: int = 0
    count: int = 1

    def of(self, micro_batches: int) -> list[int]:
        """Numbers of this share's micro batches, `SPARE` behind them; equally many in every share, and at least one."""
        rounds = max(1, -(-micro_batches // self.count))
        mine = range(self.rank, rounds * self.count, self.count)
        return [number if number < micro_batches else SPARE for number in mine]


class Counts(NamedTuple):
    """Of a whole step, over all shares."""

    tokens: int
    predictions: int
    instances: int
    computed: int
    """Tokens, spare ones too."""
    squares: int
    """Sum of the instances' squared lengths."""

    @classmethod
    def of(cls, batches: list[PackedBatch]) -> Counts:
        """Of these."""
        return cls(
            sum(batch.tokens for batch in batches),
            sum(batch.predictions for batch in batches),
            sum(batch.instances for batch in batches),
            sum(len(batch.ids) for batch in batches),
            sum(batch.squares for batch in batches),
        )


def spare(batch: PackedBatch) -> PackedBatch:
    """A batch of the shapes of `batch` that nothing is predicted of: its losses and gradients are 0."""
    following = batch.next_sentence_labels
    return batch._replace(
        masked_lm_labels=torch.full_like(batch.masked_lm_labels, IGNORED),
        next_sentence_labels=None if following is None else torch.full_like(following, IGNORED),
        tokens=0,
        predictions=0,
        instances=0,
        squares=0,
    )
