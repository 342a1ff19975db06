"""The word vectors that a task's texts use, as a layer that a network reads and may train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from firth.tasks.encoders.bags import Bags, Words
from firth.tasks.encoders.reading import Floats, Integers
from firth.tasks.encoders.static import StaticEncoder


class Table(nn.Module):
    """The vectors of the words in some texts, standardised over these; the encoder's own matrix stays as it is.

    Words without a vector share one row, zeros at first. Only what the texts use is held, and has moments while it is
    trained: of a vocabulary of millions a task uses thousands.
    """

    def __init__(self, encoder: StaticEncoder, used: Integers, mean: Floats, scale: Floats, trained: bool) -> None:
        super().__init__()
        self._encoder, self._used, self._mean, self._scale = encoder, used, mean, scale
        self.weight = nn.Parameter(torch.from_numpy(self._standardised(used)), requires_grad=trained)

    @classmethod
    def of(cls, encoder: StaticEncoder, inputs: Sequence[Words], trained: bool) -> Self:
        """The words of `inputs` as they are given."""
        used, counts = np.unique(_ids(inputs), return_counts=True)
        known = used != encoder.unknown
        moments = _moments(encoder.matrix[used[known]], counts[known])
        return cls(encoder, np.append(used[known], encoder.unknown), *moments, trained)

    @classmethod
    def restored(cls, encoder: StaticEncoder, unknown: Floats) -> Self:
        """A frozen table of rows that were `whole` once: the encoder's own now, and `unknown` (D,) for no word."""
        zeros, ones = np.zeros(encoder.width, np.float32), np.ones(encoder.width, np.float32)
        table = cls(encoder, np.array([encoder.unknown], np.int64), zeros, ones, trained=False)
        with torch.no_grad():
            table.weight[0] = torch.from_numpy(unknown)
        return table

    def whole(self) -> Floats:
        """The rows (vocabulary + 1, D) of all words, used or not, as they are now; the last one for no word."""
        rows = self._standardised(np.arange(self._encoder.unknown + 1))
        rows[self._used] = self.weight.detach().numpy()
        return rows

    def with_words_of(self, inputs: Sequence[Words]) -> Table:
        """As this, frozen, with the words of other texts too: the trained rows as they are now, others as given."""
        other = Table(self._encoder, np.union1d(self._used, _ids(inputs)), self._mean, self._scale, trained=False)
        with torch.no_grad():
            other.weight[torch.from_numpy(np.searchsorted(other._used, self._used))] = self.weight
        return other

    def forward(self, bags: Bags) -> Tensor:
        """The means of the rows that each position stands for: (positions, D)."""
        places = torch.from_numpy(np.searchsorted(self._used, bags.ids))
        return F.embedding_bag(places, self.weight, torch.from_numpy(bags.starts), mode="mean")

    def _standardised(self, ids: Integers) -> Floats:
        """Rows of the given vectors; zeros, the mean of all, for a word that has none."""
        rows: Floats = (self._encoder.matrix[ids].astype(np.float32) - self._mean) / self._scale
        rows[ids == self._encoder.unknown] = 0.0
        return rows


def _ids(inputs: Sequence[Words]) -> Integers:
    return np.concatenate([sequence.ids for item in inputs for sequence in item.sequences])


def _moments(rows: Floats, counts: Integers) -> tuple[Floats, Floats]:
    """Mean and deviation (D,) over all occurrences; a dimension without spread is left as wide as it is."""
    if not len(rows):
        return np.zeros(rows.shape[1], np.float32), np.ones(rows.shape[1], np.float32)
    mean = np.average(rows.astype(np.float64), axis=0, weights=counts)
    deviation = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=counts))
    return mean.astype(np.float32), np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)
