"""Instances one behind the other (after Krell et al., 2021): no padding, or next to none.

A packed batch of a fixed `Capacity` always has the same shapes, which code that is compiled for one shape wants. Spare
tokens are instances of their own, that nothing is predicted of; a spare prediction has the label `IGNORED`. A batch
that needs more than was foreseen is as large as it needs to be: no chosen position is ever dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from firth.bert.attention import Packed
from firth.bert.data.instances import Batch

IGNORED = -100
"""The label of what is not predicted, as `cross_entropy` understands it."""

SHAPES = 64
"""About so many numbers of tokens are told apart below any number."""

SMALLEST_STEP = 16
"""Tokens between two of them at least."""

MARGIN = 1.15
"""Instances that fit into a capacity, beyond those of mean length."""


Change = Callable[[torch.Tensor], torch.Tensor]


class PackedBatch(NamedTuple):
    """Instances that go through the model together: T tokens of N instances, P of them predicted, spare ones too."""

    ids: torch.Tensor
    """(T,) int64."""
    segments: torch.Tensor | None
    """(T,) int64, 1 from the first token of B on; None: all 0."""
    layout: Packed
    predicted: torch.Tensor
    """(P,) int64."""
    masked_lm_labels: torch.Tensor
    """(P,) int64: what stood there (left to right: what comes next), or `IGNORED`."""
    next_sentence_labels: torch.Tensor | None
    """(N,) int64: 1 where B is from another document, or `IGNORED`; None without next-sentence prediction."""
    tokens: int
    """Real tokens: what is spare is not counted, here and below."""
    predictions: int
    instances: int
    squares: int
    """Sum of the instances' squared lengths: what attention's cost grows with."""

    def to(self, device: str) -> PackedBatch:
        """The batch on `device`; from pinned memory it is copied while the device computes."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> PackedBatch:
        """The batch in memory that a GPU copies from while it computes."""
        return self._each(torch.Tensor.pin_memory)

    def _each(self, change: Change) -> PackedBatch:
        layout = self.layout
        return self._replace(
            ids=change(self.ids),
            segments=None if self.segments is None else change(self.segments),
            layout=layout._replace(
                offsets=change(layout.offsets), positions=change(layout.positions), grid=change(layout.grid)
            ),
            predicted=change(self.predicted),
            masked_lm_labels=change(self.masked_lm_labels),
            next_sentence_labels=None if self.next_sentence_labels is None else change(self.next_sentence_labels),
        )


@dataclass(frozen=True)
class Capacity:
    """The fixed shapes of a packed batch."""

    tokens: int
    instances: int
    predictions: int
    longest: int
    """Tokens of an instance at most."""

    @classmethod
    def of(cls, rows: int, length: int, mean: float, rate: float) -> Capacity:
        """For as much text as `rows` full instances of `length` tokens hold.

        Args:
            rows: instances of full length.
            length: tokens of an instance at most.
            mean: tokens of an instance on average.
            rate: share of tokens that are predicted.
        """
        tokens = rows * length
        instances = math.ceil(MARGIN * tokens / mean) + 8
        predictions = math.ceil(rate * tokens + 0.5 * instances)  # a count is rounded, and at least 1
        return cls(tokens, instances, _up(predictions, 8), length)

    @classmethod
    def near(cls, batch: Batch) -> Capacity:
        """For `batch` itself, in one of a few shapes, at about 1% of spare tokens.

        A library of matrix products prepares itself for each shape that it meets, and keeps what it has prepared.
        """
        rows, width = batch.ids.shape
        step = max(SMALLEST_STEP, 1 << (batch.tokens // SHAPES).bit_length() >> 1)
        tokens = _up(batch.tokens, step)
        return cls(tokens, rows + (tokens > batch.tokens), _up(len(batch.predicted), 8), _up(width, 8))


def fit(lengths: Sequence[int], capacity: Capacity, bins: int, rate: float) -> list[list[int]]:
    """Which of `lengths` go into which of `bins` batches of one capacity: in order, each into the first with room.

    Ends before the first that fits into none of them. At least one is always taken.
    """
    # A bin may take `capacity.instances` less those that its spare tokens need, which are one per `longest`.
    found: list[list[int]] = [[] for _ in range(bins)]
    tokens, predictions = [0] * bins, [0] * bins
    for number, length in enumerate(lengths):
        chosen = max(1, int(rate * (length - 2) + 0.5))  # an upper bound: [CLS] and [SEP] are never chosen
        for which, content in enumerate(found):
            spare = -(-(capacity.tokens - tokens[which] - length) // capacity.longest)
            if (
                spare >= 0
                and tokens[which] + length <= capacity.tokens
                and len(content) + 1 + spare <= capacity.instances
                and predictions[which] + chosen <= capacity.predictions
            ):
                content.append(number)
                tokens[which] += length
                predictions[which] += chosen
                break
        else:
            break
    return found


def pack(batch: Batch, capacity: Capacity | None = None) -> PackedBatch:
    """The rows of `batch` one behind the other, with the shapes of `capacity` if there is one."""
    ids = batch.ids.numpy()
    rows, width = ids.shape
    real = np.ones(ids.shape, dtype=np.bool_) if batch.mask is None else batch.mask.numpy()
    lengths = real.sum(axis=1)
    squares = int(np.square(lengths).sum())
    flat = np.flatnonzero(real)  # where each packed token stood
    place = np.cumsum(real.ravel()) - 1  # where each token of the rows goes
    packed = ids.ravel()[flat]
    segments = None if batch.segments is None else batch.segments.numpy().ravel()[flat]
    predicted, labels = place[batch.predicted.numpy()], batch.masked_lm_labels.numpy()
    following = None if batch.next_sentence_labels is None else batch.next_sentence_labels.numpy()
    longest = width
    if capacity is not None:
        longest = max(width, capacity.longest)
        spare = max(0, capacity.tokens - len(packed))
        lengths = np.concatenate((lengths, _spare_lengths(spare, longest, capacity.instances - rows)))
        packed, segments = _longer(packed, spare, 0), None if segments is None else _longer(segments, spare, 0)
        more = max(0, capacity.predictions - len(labels))
        predicted, labels = _longer(predicted, more, 0), _longer(labels, more, IGNORED)
        following = None if following is None else _longer(following, len(lengths) - rows, IGNORED)
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    owner = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.arange(len(packed)) - offsets[:-1][owner]
    layout = Packed(
        torch.from_numpy(offsets.astype(np.int32)),
        torch.from_numpy(positions),
        torch.from_numpy(owner * longest + positions),
        longest,
        batch.causal,
    )
    return PackedBatch(
        torch.from_numpy(packed),
        None if segments is None else torch.from_numpy(segments),
        layout,
        torch.from_numpy(np.ascontiguousarray(predicted)),
        torch.from_numpy(np.ascontiguousarray(labels)),
        None if following is None else torch.from_numpy(np.ascontiguousarray(following)),
        batch.tokens,
        len(batch.predicted),
        rows,
        squares,
    )


def _spare_lengths(tokens: int, longest: int, instances: int) -> NDArray[np.int64]:
    """`tokens` as instances of at most `longest`, the rest of `instances` empty."""
    full, rest = divmod(tokens, longest)
    found = np.zeros(max(instances, full + (rest > 0)), dtype=np.int64)
    found[:full] = longest
    if rest:
        found[full] = rest
    return found


def _longer(values: NDArray[np.int64], more: int, filling: int) -> NDArray[np.int64]:
    return np.concatenate((values, np.full(more, filling, dtype=np.int64)))


def _up(number: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-number // step) * step
