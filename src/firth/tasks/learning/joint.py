"""Training of a network that stands on vectors of words or tokens: word vectors themselves, a BiLSTM, a head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from firth.progress import Meter
from firth.tasks.encoders.reading import Floats, Integers, Reading
from firth.tasks.learning.batches import shuffled
from firth.tasks.learning.descent import Descent, Group
from firth.tasks.learning.heads import Targets

CLIP = 5.0
"""Largest norm of a gradient."""
AT_ONCE = 4096
"""Tokens, padding included, that are read at a time when nothing is trained."""


def train_jointly(
    network: nn.Module,
    outputs: Callable[[list[int]], Tensor],
    groups: Sequence[Group],
    reading: Reading,
    targets: Targets,
    sizes: Integers,
    epochs: int,
    batch: int,
    generator: torch.Generator,
    title: str,
) -> None:
    """Train with AdamW and rates that fall linearly to 0, gradients cut at norm 5.

    Args:
        network: what has a mode for training; it is left in the mode for use.
        outputs: numbers of inputs to their rows of outputs.
        groups: what is trained.
        reading: what the targets are of.
        targets: what is learned.
        sizes: tokens of each input: batches hold inputs of like length.
        epochs: how often each input is learned from.
        batch: inputs of a step.
        generator: draws the batches.
        title: what the progress line says.

    Raises:
        DivergedError: the loss or its gradient is not finite.
    """
    steps = epochs * -(-len(targets.usable) // batch)
    descent = Descent(groups, steps, title, clip=CLIP)
    network.train()
    with Meter(title, steps, "steps") as meter:
        for _ in range(epochs):
            for numbers in shuffled(targets.usable, sizes, batch, generator):
                loss = descent.step(targets.loss(outputs(numbers), numbers, reading))
                meter.advance(1, f"loss {loss:.3f}")
    network.eval()


def all_outputs(outputs: Callable[[list[int]], Tensor], reading: Reading, sizes: Integers, columns: int) -> Floats:
    """The outputs (rows, columns) for a whole reading, in batches of like length."""
    starts = reading.starts
    found: Floats = np.empty((int(starts[-1]), columns), np.float32)
    with torch.inference_mode():
        for numbers in _blocks(sizes):
            rows, done = outputs(numbers).numpy(), 0
            for number in numbers:
                count = int(reading.counts[number])
                found[starts[number] : starts[number + 1]] = rows[done : done + count]
                done += count
    return found


def _blocks(sizes: Integers) -> Iterator[list[int]]:
    """Numbers of all inputs in batches of like length, longest first."""
    block: list[int] = []
    for number in sorted(range(len(sizes)), key=lambda n: (-int(sizes[n]), n)):
        if block and (len(block) + 1) * int(sizes[block[0]]) > AT_ONCE:
            yield block
            block = []
        block.append(number)
    if block:
        yield block
