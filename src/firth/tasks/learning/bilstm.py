"""A bidirectional LSTM on the vectors of all tokens, and a linear head on its states (section 5.3 of the paper).

Under word vectors it is what models did before BERT; on a frozen BERT's hidden states it is the paper's feature-based
approach. A text is the greatest of its states, dimension by dimension (max pooling, as in Conneau et al. 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from firth.config.usages import BiLSTM as Settings
from firth.tasks.encoders.reading import Floats, Integers, Reading
from firth.tasks.encoders.rows import MULTIPLE, Form, Layout, joined, padded
from firth.tasks.learning.descent import Group
from firth.tasks.learning.heads import Targets, new_head
from firth.tasks.learning.joint import all_outputs, train_jointly


class Tokens(Protocol):
    """A reading as a network over tokens reads it."""

    reading: Reading
    form: Form
    width: int
    """Numbers of a token."""
    sizes: Integers
    """Tokens of each input."""

    def read(self, numbers: Sequence[int]) -> tuple[Tensor, Layout]:
        """The tokens (all of them, width) of these inputs, and how rows are made of their states."""


class BiLSTM(nn.Module):
    """Layers of two LSTMs each, one from left to right and one from right to left.

    A sequence is turned around within its own length, so that what is padded always stands behind it and no state of
    its tokens ever sees that. torch's bidirectional LSTM would need packed sequences for this, which on a CPU take
    2.4 times as long (batches of 32 sequences of 128 tokens, 256 numbers a state).
    """

    def __init__(self, width: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [width] + [2 * hidden] * (layers - 1)
        self.forwards = nn.ModuleList([nn.LSTM(read, hidden, batch_first=True) for read in widths])
        self.backwards = nn.ModuleList([nn.LSTM(read, hidden, batch_first=True) for read in widths])
        self.dropout = nn.Dropout(dropout)
        self.width = 2 * hidden

    def forward(self, tokens: Tensor, lengths: Sequence[int]) -> Tensor:
        """(all tokens, width) of sequences of these `lengths` -> their states (all tokens, 2 * hidden)."""
        states, real = padded(tokens, lengths)
        places, each = torch.arange(real.shape[1]), torch.tensor(lengths)[:, None]
        turned = torch.where(real, each - 1 - places, places)[..., None]  # (sequences, longest, 1)
        for onwards, backwards in zip(self.forwards, self.backwards, strict=True):
            read = self.dropout(states)
            left, _ = onwards(read)
            right, _ = backwards(_taken(read, turned))
            states = torch.cat([left, _taken(right, turned)], dim=-1)
        return states[real]


class Shape(NamedTuple):
    """What the sizes of a network follow from, besides its outputs."""

    width: int
    """Numbers of a token."""
    form: Form
    hidden: int
    layers: int


class Network(nn.Module):
    """The BiLSTM and a head on the rows that are made of its states."""

    def __init__(self, shape: Shape, columns: int, dropout: float, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        self.lstm = BiLSTM(shape.width, shape.hidden, shape.layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = new_head(self.lstm.width * MULTIPLE[shape.form], columns, generator)

    def forward(self, tokens: Tensor, layout: Layout) -> Tensor:
        """The head's outputs (rows, columns)."""
        states = self.lstm(tokens, layout.lengths)
        if layout.form == "tokens":
            rows = states[torch.tensor(layout.picked, dtype=torch.int64)]
        else:
            greatest = torch.stack([part.amax(dim=0) for part in states.split(list(layout.lengths))])
            rows = joined(layout.form, greatest, layout.endings)
        return self.head(self.dropout(rows))  # type: ignore[no-any-return]

    def logits(self, tokens: Tokens) -> Floats:
        """(rows, columns) of all rows of the reading."""
        return all_outputs(
            lambda numbers: self(*tokens.read(numbers)), tokens.reading, tokens.sizes, self.head.out_features
        )


def train_bilstm(
    tokens: Tokens,
    targets: Targets,
    settings: Settings,
    seed: int,
    title: str = "BiLSTM",
    vectors: Group | None = None,
) -> Network:
    """Train a BiLSTM with its head, and the `vectors` that `tokens` reads, if they are given.

    The same seed gives the same bytes on the same number of threads.

    Raises:
        DivergedError: the loss or its gradient is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # first weights and dropout draw from torch's own generator
        shape = Shape(tokens.width, tokens.form, settings.hidden, settings.layers)
        network = Network(shape, targets.columns, settings.dropout, generator)
        own = Group(
            list(network.parameters()), settings.learning_rate, settings.weight_decay, "evaluation.bilstm.learning_rate"
        )
        train_jointly(
            network,
            lambda numbers: network(*tokens.read(numbers)),
            [own] if vectors is None else [own, vectors],
            tokens.reading,
            targets,
            tokens.sizes,
            settings.epochs,
            settings.batch,
            generator,
            title,
        )
    return network


def _taken(states: Tensor, places: Tensor) -> Tensor:
    return states.gather(1, places.expand_as(states))
