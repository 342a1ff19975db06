"""Sequences of positions that stand for word vectors, and how rows of features are made of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from firth.tasks.encoders.reading import Integers
from firth.tasks.encoders.rows import Form, Layout, joined, with_neighbours


class Bags(NamedTuple):
    """Positions, each of which stands for the mean of a few vectors: of one for a word, of all for a text."""

    ids: Integers
    """Numbers of the vectors of all positions, one behind the other."""
    starts: Integers
    """(positions,): where in `ids` each position's begin; none is empty."""


class Words(NamedTuple):
    """An example as word vectors read it."""

    form: Form
    sequences: Sequence[Bags]
    """Of a pair two; of a choice the context, then its endings; of a context that is asked about, then the question."""
    own: tuple[int, int] = (0, 0)
    """tokens: the first position of the first sequence that has a row, and the one behind the last."""

    @property
    def asked(self) -> bool:
        """Whether the first sequence is read together with a question."""
        return self.form == "tokens" and len(self.sequences) > 1


Vectors = Callable[[Bags], Tensor]
"""The vectors (positions, D) of bags."""


def together(parts: Sequence[Bags]) -> Bags:
    """The positions of all parts, one behind the other."""
    shifts = np.cumsum([0, *(len(part.ids) for part in parts[:-1])])
    ids = np.concatenate([part.ids for part in parts])
    return Bags(ids, np.concatenate([part.starts + shift for part, shift in zip(parts, shifts, strict=True)]))


def as_one(bags: Bags, unknown: int) -> Bags:
    """All of a text as one position, words without a vector left out as far as there are others."""
    known = bags.ids[bags.ids != unknown]
    return Bags(known if len(known) else np.array([unknown], np.int64), np.zeros(1, np.int64))


def mean_rows(inputs: Sequence[Words], vectors: Vectors, unknown: int) -> Tensor:
    """The rows of `inputs`, all of one form, without a network.

    A text's vector is its words' mean, and rows are `joined` of these. A token's row is [the one before it, its own,
    the one behind it], with a question also its own times the question's mean: that mean alone would add the same to
    every word of a context, and the choice is among these.
    """
    form = inputs[0].form
    if form != "tokens":
        means = vectors(together([as_one(sequence, unknown) for item in inputs for sequence in item.sequences]))
        return joined(form, means, _endings(inputs))
    lengths = np.array([len(item.sequences[0].starts) for item in inputs], np.int64)
    found = vectors(together([item.sequences[0] for item in inputs]))
    rows = with_neighbours(found, lengths)
    if inputs[0].asked:
        questions = vectors(together([as_one(item.sequences[1], unknown) for item in inputs]))
        rows = torch.cat([rows, found * questions.repeat_interleave(torch.from_numpy(lengths), dim=0)], dim=1)
    return rows[torch.tensor(_picked(inputs, lengths), dtype=torch.int64)]


def as_sequences(inputs: Sequence[Words], vectors: Vectors, unknown: int) -> tuple[Tensor, Layout]:
    """What stands at the positions of all sequences, and how rows are made of what a network says of them.

    With a question each position is [its vector, its vector times the question's mean]. A sequence without words is
    one position without a vector.
    """
    form = inputs[0].form
    nothing = Bags(np.array([unknown], np.int64), np.zeros(1, np.int64))
    read = [item.sequences[:1] if form == "tokens" else item.sequences for item in inputs]
    sequences = [sequence if len(sequence.starts) else nothing for each in read for sequence in each]
    lengths = [len(sequence.starts) for sequence in sequences]
    found = vectors(together(sequences))
    if inputs[0].asked:
        questions = vectors(together([as_one(item.sequences[1], unknown) for item in inputs]))
        found = torch.cat([found, found * questions.repeat_interleave(torch.tensor(lengths), dim=0)], dim=1)
    picked = _picked(inputs, np.array(lengths, np.int64)) if form == "tokens" else []
    return found, Layout(form, lengths, picked, _endings(inputs))


def _picked(inputs: Sequence[Words], lengths: Integers) -> list[int]:
    starts = np.cumsum(lengths) - lengths
    return [start + place for start, item in zip(starts.tolist(), inputs, strict=True) for place in range(*item.own)]


def _endings(inputs: Sequence[Words]) -> list[int]:
    return [len(item.sequences) - 1 for item in inputs] if inputs[0].form == "choice" else []
