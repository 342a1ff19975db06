"""How rows of features are made of vectors of tokens: the same under word vectors' means and under a BiLSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from firth.tasks.encoders.reading import Integers

Form = Literal["tokens", "single", "pair", "choice"]
"""tokens: a row for each token that is asked for; else of whole sequences: one row each, one for every two, or one for
each ending of a context."""

MULTIPLE: dict[Form, int] = {"tokens": 1, "single": 1, "pair": 4, "choice": 3}
"""A row's width, in widths of a vector."""


class Layout(NamedTuple):
    """The sequences of a batch of inputs, one behind the other, and what rows are made of them."""

    form: Form
    lengths: Sequence[int]
    """Tokens of each sequence, one at least."""
    picked: Sequence[int] = ()
    """tokens: which of all the sequences' tokens have a row."""
    endings: Sequence[int] = ()
    """choice: how many endings each input has; its context stands before them."""


def joined(form: Form, pooled: Tensor, endings: Sequence[int] = ()) -> Tensor:
    """Rows of pooled sequences (sequences, D).

    A pair u, v is [u, v, |u − v|, u * v] (Conneau et al. 2017); each ending v of a context u is [v, |u − v|, u * v],
    for u alone would add the same to all endings.

    Returns:
        (inputs, D), (inputs, 4 D) or (endings, 3 D).
    """
    if form == "pair":
        u, v = pooled[0::2], pooled[1::2]
        return torch.cat([u, v, (u - v).abs(), u * v], dim=1)
    if form == "choice":
        sizes = np.array(endings, np.int64)
        contexts = np.cumsum(sizes + 1) - (sizes + 1)
        u = pooled[torch.from_numpy(np.repeat(contexts, sizes))]
        v = pooled[torch.from_numpy(np.delete(np.arange(len(pooled)), contexts))]
        return torch.cat([v, (v - u).abs(), v * u], dim=1)
    return pooled


def with_neighbours(vectors: Tensor, lengths: Integers) -> Tensor:
    """(tokens, D) -> (tokens, 3 D): before each of a sequence's vectors the one before it, then the one behind it.

    Beyond a sequence's ends there are zeros; sequences may be empty.
    """
    outside, ends = len(vectors), np.cumsum(lengths)
    before, after = np.arange(-1, outside - 1), np.arange(1, outside + 1)
    before[(ends - lengths)[lengths > 0]] = outside
    after[ends[lengths > 0] - 1] = outside
    padded = torch.cat([vectors, vectors.new_zeros(1, vectors.shape[1])])
    return torch.cat([padded[torch.from_numpy(before)], vectors, padded[torch.from_numpy(after)]], dim=1)


def padded(tokens: Tensor, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """(all tokens, D) as (sequences, longest, D), zeros behind the end, and which of these are real."""
    each = torch.tensor(lengths)
    real = torch.arange(int(each.max()))[None] < each[:, None]
    out = tokens.new_zeros(*real.shape, tokens.shape[1])
    out[real] = tokens
    return out, real
