"""The linear heads on rows of features, what they learn from, and their training on frozen features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from firth.config.usages import Head
from firth.tasks.encoders.reading import Floats, Integers, Reading
from firth.tasks.learning.descent import Descent, Group


class Targets(Protocol):
    """What the rows of a reading should say."""

    @property
    def columns(self) -> int:
        """Outputs of the head for each row."""

    @property
    def usable(self) -> Integers:
        """Numbers of the inputs that can be learned from."""

    def loss(self, logits: Tensor, batch: Sequence[int], reading: Reading) -> Tensor:
        """Mean loss of `logits` (rows of the inputs in `batch`, columns)."""


@dataclass(frozen=True, eq=False)
class ClassTargets:
    """One of `columns` classes for each row: `classes` (rows,)."""

    columns: int
    usable: Integers
    classes: Integers

    def loss(self, logits: Tensor, batch: Sequence[int], reading: Reading) -> Tensor:
        """Cross-entropy, a mean over rows."""
        return F.cross_entropy(logits, _beside(logits, self.classes[rows_of(reading, batch)]))


@dataclass(frozen=True, eq=False)
class SpanTargets:
    """The first and the last row of the answer among each input's rows: (inputs,) each, -1 where it is not whole."""

    usable: Integers
    first: Integers
    last: Integers
    columns: int = 2

    def loss(self, logits: Tensor, batch: Sequence[int], reading: Reading) -> Tensor:
        """Mean of the cross-entropies of start and end, each a choice among the input's rows (section 4.2)."""
        padded = _padded(logits, reading.counts[list(batch)])
        first, last = (_beside(logits, side[list(batch)]) for side in (self.first, self.last))
        return (F.cross_entropy(padded[..., 0], first) + F.cross_entropy(padded[..., 1], last)) / 2


@dataclass(frozen=True, eq=False)
class ChoiceTargets:
    """Which of each example's rows is the right one: `right` (examples,)."""

    usable: Integers
    right: Integers
    columns: int = 1

    def loss(self, logits: Tensor, batch: Sequence[int], reading: Reading) -> Tensor:
        """Cross-entropy of a softmax over each example's rows (section 4.4)."""
        padded = _padded(logits, reading.counts[list(batch)])
        return F.cross_entropy(padded[..., 0], _beside(logits, self.right[list(batch)]))


@dataclass(frozen=True, eq=False)
class NumberTargets:
    """A number for each row: `numbers` (rows,), about 0 and of deviation about 1, as the head's first outputs are."""

    usable: Integers
    numbers: Floats
    columns: int = 1

    def loss(self, logits: Tensor, batch: Sequence[int], reading: Reading) -> Tensor:
        """Mean squared error."""
        return F.mse_loss(logits[:, 0], _beside(logits, self.numbers[rows_of(reading, batch)]))


@dataclass(frozen=True, eq=False)
class FrozenHead:
    """A linear layer on features that are standardised as those it was trained on."""

    linear: nn.Linear
    mean: Tensor
    scale: Tensor

    def logits(self, features: Floats) -> Floats:
        """(rows, width) -> (rows, columns)."""
        with torch.inference_mode():
            out: Floats = self.linear((torch.from_numpy(features) - self.mean) / self.scale).numpy()
        return out


def new_head(width: int, columns: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer, weights normal with deviation 0.02, biases 0."""
    linear = nn.Linear(width, columns)
    with torch.no_grad():
        linear.weight.normal_(0.0, 0.02, generator=generator)
        linear.bias.zero_()
    return linear


def train_head(features: Floats, reading: Reading, targets: Targets, settings: Head, seed: int) -> FrozenHead:
    """Train on `features` (rows, width) with AdamW and a rate that falls linearly to 0; one seed, one head.

    The seed chooses the first weights, which inputs share a batch, and the order of batches in each epoch.

    Raises:
        DivergedError: the loss or its gradient is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.from_numpy(features)
    deviation, mean = torch.std_mean(rows, dim=0, correction=0)
    scale = torch.where(deviation > 1e-6, deviation, torch.ones(()))
    linear = new_head(rows.shape[1], targets.columns, generator)
    order = targets.usable[torch.randperm(len(targets.usable), generator=generator).numpy()]
    batches = [order[start : start + settings.batch] for start in range(0, len(order), settings.batch)]
    picked = [(rows[torch.from_numpy(rows_of(reading, batch))] - mean) / scale for batch in batches]
    own = Group(
        list(linear.parameters()), settings.learning_rate, settings.weight_decay, "evaluation.head.learning_rate"
    )
    descent = Descent([own], settings.epochs * len(batches), "a head on frozen features")
    for _ in range(settings.epochs):
        for number in torch.randperm(len(batches), generator=generator).tolist():
            descent.step(targets.loss(linear(picked[number]), batches[number].tolist(), reading))
    return FrozenHead(linear, mean, scale)


def _beside(logits: Tensor, values: NDArray[Any]) -> Tensor:
    """`values` on the device of `logits`."""
    return torch.from_numpy(values).to(logits.device)


def _padded(logits: Tensor, counts: Integers) -> Tensor:
    """Rows (sum of `counts`, columns) as (examples, most rows, columns), minus infinity where there is none."""
    real = _beside(logits, np.arange(counts.max())[None] < counts[:, None])
    padded = logits.new_full((*real.shape, logits.shape[1]), -torch.inf)
    padded[real] = logits
    return padded


def rows_of(reading: Reading, batch: Sequence[int] | Integers) -> Integers:
    """The numbers of all rows of the inputs in `batch`, in its order."""
    starts = reading.starts
    parts = [np.arange(starts[number], starts[number + 1]) for number in batch]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
