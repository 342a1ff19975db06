"""What each centre of a stretch of the stream is to do, drawn on the device that trains: plain tensor arithmetic.

Random numbers are splitmix64's (`training.splitmix`), each found by its number: word `i` of a stretch owns the draws
from `i` · (2 + negatives) on: whether it is kept, how far its window reaches, and its noise. The same key thus
gives the same plan, bit for bit, on a CPU and on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from firth.training.splitmix import GOLDEN
from firth.word2vec.sampling import AliasTable

_DRAWS_AT_ONCE = 1 << 24
"""Noise words drawn in one go: 128 MiB for each tensor of their 64 bits."""


def _signed(value: int) -> int:
    """The 64 bits of `value` as the signed integer that tensors hold."""
    return value - (1 << 64) if value >> 63 else value


def _right(values: Tensor, shift: int) -> Tensor:
    """Logical shift of signed 64-bit integers."""
    return (values >> shift) & ((1 << (64 - shift)) - 1)


def draws(state: int, numbers: Tensor) -> Tensor:
    """The 64 bits of draws `numbers` (int64, from 1) of the generator that starts at `state`, in any order."""
    value = numbers * _signed(GOLDEN) + _signed(state)
    value = (value ^ _right(value, 30)) * _signed(0xBF58476D1CE4E5B9)
    value = (value ^ _right(value, 27)) * _signed(0x94D049BB133111EB)
    return value ^ _right(value, 31)


def _below(bits: Tensor, size: int) -> Tensor:
    """A whole number in [0, size) from the upper half of 64 bits."""
    return (_right(bits, 32) * size) >> 32


@dataclass(frozen=True)
class Chances:
    """The tables of chance on the device: all (vocabulary,)."""

    keep: Tensor
    thresholds: Tensor
    others: Tensor

    @classmethod
    def of(cls, keep: NDArray[Any], noise: AliasTable, device: torch.device) -> Chances:
        """From `sampling`'s tables."""
        return cls(
            torch.from_numpy(keep.astype("int64")).to(device),
            torch.from_numpy(noise.thresholds.astype("int64")).to(device),
            torch.from_numpy(noise.others).to(device),
        )

    def noise(self, bits: Tensor) -> Tensor:
        """Words of the noise distribution, int32, from 64 bits each: the slot, and whether its other word is taken."""
        slot = _below(bits, len(self.thresholds))
        return torch.where((bits & 0xFFFFFFFF) <= self.thresholds[slot], slot.to(torch.int32), self.others[slot])


@dataclass(frozen=True)
class Plan:
    """The centres of a stretch in order, subsampled, with positions counted among them.

    `words`, `low`, `high` (centres,) int32: the word, and the first and last position of its contexts (its own lies
    between); `noise` (centres, negatives) int32; `rates` (centres,) float32. `read`: words before subsampling.
    """

    words: Tensor
    low: Tensor
    high: Tensor
    noise: Tensor
    rates: Tensor
    read: int

    @classmethod
    def of(
        cls, ids: Tensor, chances: Chances, window: int, negatives: int, state: int, offset: int,
        rate: float, floor: float, seen: int, total: int,
    ) -> Plan:  # fmt: skip
        """The plan for `ids` (int32, −1 between sentences; checked by the caller).

        The generator started at `state`, `offset` ids before these. The rate falls to max(`floor`, 1 − words / `total`)
        of `rate`, where words are `seen` ones and those of `ids` before the centre.
        """
        each = 2 + negatives
        is_word = ids >= 0
        number = (torch.arange(len(ids), device=ids.device) + offset) * each + 1
        kept = torch.nonzero(is_word & (_right(draws(state, number), 32) <= chances.keep[ids.clamp(min=0)]))[:, 0]
        words, number = ids[kept], number[kept]
        place = torch.arange(len(kept), device=ids.device)
        _, of_sentence, lengths = torch.unique_consecutive(
            torch.cumsum(~is_word, 0)[kept], return_inverse=True, return_counts=True
        )
        starts = torch.cumsum(lengths, 0) - lengths
        reach = 1 + _below(draws(state, number + 1), window)
        low = torch.maximum(starts[of_sentence], place - reach)
        high = torch.minimum((starts + lengths - 1)[of_sentence], place + reach)
        before = torch.cumsum(is_word, 0)[kept] - 1 + seen
        rates = rate * (1.0 - before.to(torch.float64) / total).clamp(min=floor)
        noise = torch.empty((len(kept), negatives), dtype=torch.int32, device=ids.device)
        columns = torch.arange(negatives, device=ids.device)
        rows = max(1, _DRAWS_AT_ONCE // negatives)
        for at in range(0, len(kept), rows):
            noise[at : at + rows] = chances.noise(draws(state, number[at : at + rows, None] + 2 + columns))
        return cls(words, low.to(torch.int32), high.to(torch.int32), noise, rates.to(torch.float32), int(is_word.sum()))

    def __len__(self) -> int:
        """Centres."""
        return len(self.words)

    def examples(self, skipgram: bool) -> int:
        """Pairs of skip-gram, or centres with a context of CBOW."""
        contexts = self.high - self.low
        return int(contexts.sum() if skipgram else torch.count_nonzero(contexts))
