"""Batches of examples of like length, in an order that a seed draws."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from firth.tasks.encoders.reading import Integers

POOL = 16
"""Batches among which inputs are sorted by length, so that few tokens are padding."""


def shuffled(usable: Integers, sizes: Integers, batch: int, generator: torch.Generator) -> Iterator[list[int]]:
    """All usable inputs once, in shuffled batches of like length.

    Args:
        usable: numbers of the inputs that can be learned from.
        sizes: tokens of each input, usable or not.
        batch: inputs of a batch; the last of a pool may have fewer.
        generator: draws which inputs share a pool, and the order of the batches.
    """
    order = usable[torch.randperm(len(usable), generator=generator).numpy()].tolist()
    batches: list[list[int]] = []
    for start in range(0, len(order), batch * POOL):
        pool = sorted(order[start : start + batch * POOL], key=lambda number: -int(sizes[number]))
        batches += [pool[at : at + batch] for at in range(0, len(pool), batch)]
    for number in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[number]
