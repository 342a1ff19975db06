"""What stands at the tokens of a reading: word vectors, or a frozen BERT's hidden states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from firth.tasks.encoders.bags import as_sequences
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Floats, Integers, Reading
from firth.tasks.encoders.rows import Form, Layout
from firth.tasks.encoders.sequences import Input, Several
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.learning.table import Table
from firth.tasks.learning.tuned import words_of

MOST_KEPT = 2 * 2**30
"""Bytes of hidden states of one side that are kept; of more, each is computed whenever it is read."""


class Standard(Protocol):
    """What hidden states are standardised by."""

    @property
    def mean(self) -> Tensor:
        """(width,)."""

    @property
    def scale(self) -> Tensor:
        """(width,): no deviation is 0."""


class Moments(NamedTuple):
    """Mean and deviation (width,) of some states, as they were remembered."""

    mean: Tensor
    scale: Tensor


class StaticTokens:
    """Rows of a table, a position each."""

    def __init__(self, encoder: StaticEncoder, reading: Reading, table: Table) -> None:
        self.reading, self._table, self._unknown = reading, table, encoder.unknown
        self.form: Form = reading.inputs[0].form
        self.width = encoder.width * (2 if reading.inputs[0].asked else 1)
        self.sizes = words_of(reading)

    def read(self, numbers: Sequence[int]) -> tuple[Tensor, Layout]:
        """See `firth.tasks.learning.bilstm.Tokens`."""
        return as_sequences([self.reading.inputs[number] for number in numbers], self._table, self._unknown)


class ContextualTokens:
    """Hidden states of all pieces, special ones included, standardised over the training side (`like` is of that)."""

    def __init__(self, encoder: BertEncoder, reading: Reading, like: Standard | None = None) -> None:
        self.reading, self.width = reading, encoder.width
        self.form: Form = "single" if _sequences(reading.inputs[0])[0].rows is None else "tokens"
        self._encoder = encoder
        self._all = [[_whole(one) for one in _sequences(item)] for item in reading.inputs]
        self.sizes: Integers = np.array([sum(len(one.ids) for one in each) for each in self._all], np.int64)
        self._starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.sizes)])
        self._kept: Floats | None = None
        if int(self.sizes.sum()) * self.width * 4 <= MOST_KEPT:
            self._kept = self._states(range(len(self._all)))
        given = self._moments() if like is None else like
        self.mean, self.scale = given.mean, given.scale

    def read(self, numbers: Sequence[int]) -> tuple[Tensor, Layout]:
        """See `firth.tasks.learning.bilstm.Tokens`."""
        if self._kept is None:
            sequences = [one for number in numbers for one in self._all[number]]
            with torch.no_grad():
                states = self._encoder.forward(self._encoder.bert.model.encoder.eval(), sequences).cpu()
        else:
            starts = self._starts
            parts = [self._kept[starts[number] : starts[number + 1]] for number in numbers]
            states = torch.from_numpy(np.concatenate(parts))
        lengths = [len(one.ids) for number in numbers for one in self._all[number]]
        return (states - self.mean) / self.scale, Layout(self.form, lengths, self._picked(numbers))

    def _picked(self, numbers: Sequence[int]) -> list[int]:
        if self.form != "tokens":
            return []
        starts = np.cumsum([0, *(self.sizes[number] for number in numbers)])
        inputs = [self.reading.inputs[number] for number in numbers]
        return [int(start) + row for start, item in zip(starts[:-1], inputs, strict=True) for row in item.rows]

    def _states(self, numbers: Sequence[int]) -> Floats:
        sequences = [one for number in numbers for one in self._all[number]]
        return self._encoder.features(Reading(sequences, np.array([len(one.ids) for one in sequences], np.int64)))

    def _moments(self) -> Moments:
        """Mean and deviation (width,) over all states, or of as many inputs, evenly taken, as can be kept."""
        states = self._kept
        if states is None:
            share = int(self.sizes.sum()) * self.width * 4 / MOST_KEPT
            states = self._states(range(0, len(self._all), int(np.ceil(2 * share))))
        deviation, mean = torch.std_mean(torch.from_numpy(states), dim=0, correction=0)
        return Moments(mean, torch.where(deviation > 1e-6, deviation, torch.ones(())))


def _sequences(item: Input | Several) -> Sequence[Input]:
    return (item,) if isinstance(item, Input) else item.sequences


def _whole(item: Input) -> Input:
    return Input(item.ids, item.segments, list(range(len(item.ids))))
