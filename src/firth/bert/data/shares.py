"""How the processes of a training share a step: by its micro batches, so that each has about as many tokens to read.

The update waits for the process with the most. Micro batches are dealt in rounds, the largest first, those of a round
to the processes in the order of what they hold so far. Processes that are left without one in the last round get a
spare one, of which nothing is predicted: all make equally many passes through the model, so that none waits for a pass
that another never makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from firth.bert.data.packing import IGNORED, PackedBatch

SPARE = -1
"""In place of a micro batch's number."""


@dataclass(frozen=True)
class Share:
    """What one of `count` processes takes of each step."""

    rank: int = 0
    count: int = 1

    def of(self, tokens: Sequence[int]) -> list[int]:
        """Numbers of this share's micro batches, `SPARE` behind them; equally many in every share, and at least one.

        `tokens` are those of each micro batch of the step.
        """
        rounds = max(1, -(-len(tokens) // self.count))
        mine = dealt(tokens, self.count)[self.rank]
        return mine + [SPARE] * (rounds - len(mine))


def dealt(sizes: Sequence[int], hands: int) -> list[list[int]]:
    """The numbers of `sizes`, each in one of `hands`, ascending; so many in each, or one less in some.

    The sums of two hands differ by no more than sizes of one round do.
    """
    order = sorted(range(len(sizes)), key=lambda number: -sizes[number])
    held: list[list[int]] = [[] for _ in range(hands)]
    sums = [0] * hands
    for start in range(0, len(order), hands):
        emptiest_first = sorted(range(hands), key=sums.__getitem__)
        for hand, number in zip(emptiest_first, order[start : start + hands], strict=False):
            held[hand].append(number)
            sums[hand] += sizes[number]
    return [sorted(hand) for hand in held]


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
