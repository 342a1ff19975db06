"""The sequences that a BERT reads, and how several of them go through it together.

For frozen features they are rows with padding: sorted by length there is hardly any. In fine-tuning, and for what a
fine-tuned model says, they go one behind the other (`firth.bert.attention`): there is no padding at all, and on a CPU
attention costs a fraction of torch's own, which multiplies by the slower library (`firth.training.products`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from firth.bert.attention import Packed


class Input(NamedTuple):
    """One sequence; `rows` are the tokens that features are wanted of (None: one pooled row)."""

    ids: list[int]
    segments: list[int]
    rows: Sequence[int] | None = None


class Several(NamedTuple):
    """The sequences of one example, which are learned from together."""

    sequences: Sequence[Input]


def tokens_of(item: Input | Several) -> int:
    """How many tokens are read of an example, the padding of its own shorter sequences included."""
    if isinstance(item, Input):
        return len(item.ids)
    return len(item.sequences) * max(len(one.ids) for one in item.sequences)


class Batch(NamedTuple):
    """N sequences together: N rows of L tokens, or T tokens one behind the other."""

    ids: Tensor
    """(N, L) or (T,) int64."""
    segments: Tensor
    """As `ids`."""
    layout: Tensor | Packed | None
    """Which tokens of rows are real (N, L), None: all; or where the sequences lie among T tokens."""
    starts: Tensor
    """(N,) int64: where each sequence begins among all tokens."""
    lengths: Tensor
    """(N,) int64."""

    def to(self, device: str) -> Batch:
        """The same on `device`."""
        layout = None if self.layout is None else self.layout.to(device)
        return Batch(
            self.ids.to(device), self.segments.to(device), layout, self.starts.to(device), self.lengths.to(device)
        )

    def rows(self, hidden: Tensor, wanted: Sequence[Sequence[int]]) -> Tensor:
        """Of `hidden` (N, L, H) or (T, H) the tokens that are `wanted` of each sequence, one behind the other."""
        flat = [start + row for start, rows in zip(self.starts.tolist(), wanted, strict=True) for row in rows]
        return hidden.view(-1, hidden.shape[-1])[torch.tensor(flat, dtype=torch.int64, device=hidden.device)]

    def firsts(self, hidden: Tensor) -> Tensor:
        """(N, H): each sequence's [CLS]."""
        return hidden.view(-1, hidden.shape[-1])[self.starts]

    def means(self, hidden: Tensor) -> Tensor:
        """(N, H): the mean of each sequence's tokens."""
        if isinstance(self.layout, Packed):
            longest, width = self.layout.longest, hidden.shape[-1]
            grid = hidden.new_zeros(len(self.lengths) * longest, width).index_copy(0, self.layout.grid, hidden)
            total = grid.view(-1, longest, width).sum(dim=1)
        elif self.layout is not None:
            total = (hidden * self.layout.to(hidden.dtype).unsqueeze(-1)).sum(dim=1)
        else:
            total = hidden.sum(dim=1)
        return total / self.lengths[:, None].to(hidden.dtype)


def in_rows(inputs: Sequence[Input], pad: int) -> Batch:
    """`inputs` as rows, the shorter ones filled up with `pad`."""
    lengths = torch.tensor([len(item.ids) for item in inputs])
    longest = int(lengths.max())
    real = torch.arange(longest) < lengths[:, None]
    ids = torch.full(real.shape, pad)
    segments = torch.zeros(real.shape, dtype=torch.int64)
    ids[real] = torch.from_numpy(_joined([item.ids for item in inputs]))
    segments[real] = torch.from_numpy(_joined([item.segments for item in inputs]))
    return Batch(ids, segments, None if bool(real.all()) else real, torch.arange(len(inputs)) * longest, lengths)


def one_behind_the_other(inputs: Sequence[Input]) -> Batch:
    """`inputs` without padding."""
    lengths = np.array([len(item.ids) for item in inputs])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    owner = np.repeat(np.arange(len(inputs)), lengths)
    positions = np.arange(offsets[-1]) - offsets[owner]
    longest = int(lengths.max())
    layout = Packed(
        torch.from_numpy(offsets.astype(np.int32)),
        torch.from_numpy(positions),
        torch.from_numpy(owner * longest + positions),
        longest,
    )
    return Batch(
        torch.from_numpy(_joined([item.ids for item in inputs])),
        torch.from_numpy(_joined([item.segments for item in inputs])),
        layout,
        torch.from_numpy(offsets[:-1]),
        torch.from_numpy(lengths),
    )


def _joined(lists: Sequence[list[int]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.fromiter(chain.from_iterable(lists), dtype=np.int64)
