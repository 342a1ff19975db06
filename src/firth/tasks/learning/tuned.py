"""Word vectors that are trained together with the linear head on their means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from firth.config.usages import Head
from firth.tasks.encoders.bags import Words, mean_rows
from firth.tasks.encoders.reading import Floats, Integers, Reading
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.learning.descent import Group
from firth.tasks.learning.heads import Targets, new_head
from firth.tasks.learning.joint import all_outputs, train_jointly
from firth.tasks.learning.table import Table


class TunedVectors(nn.Module):
    """Vectors and head; the rows between them are standardised as they were before anything was trained."""

    def __init__(self, table: Table, unknown: int, mean: Tensor, scale: Tensor, head: nn.Linear) -> None:
        super().__init__()
        self.table, self.head, self.mean, self.scale = table, head, mean, scale
        self._unknown = unknown

    @classmethod
    def of(cls, encoder: StaticEncoder, reading: Reading, columns: int, generator: torch.Generator) -> Self:
        """Untrained, for the words and rows of `reading`."""
        table = Table.of(encoder, reading.inputs, trained=True)
        with torch.inference_mode():
            rows = mean_rows(reading.inputs, table, encoder.unknown)
            deviation, mean = torch.std_mean(rows, dim=0, correction=0)
        scale = torch.where(deviation > 1e-6, deviation, torch.ones(())).clone()
        return cls(table, encoder.unknown, mean.clone(), scale, new_head(rows.shape[1], columns, generator))

    def forward(self, inputs: Sequence[Words], table: Table) -> Tensor:
        """The head's outputs for all rows of `inputs`."""
        return self.head((mean_rows(inputs, table, self._unknown) - self.mean) / self.scale)  # type: ignore[no-any-return]

    def logits(self, reading: Reading) -> Floats:
        """(rows, columns) of the reading's rows."""
        table = self.table.with_words_of(reading.inputs)
        sizes = words_of(reading)
        return all_outputs(
            lambda numbers: self([reading.inputs[number] for number in numbers], table),
            reading,
            sizes,
            self.head.out_features,
        )


def train_vectors(
    encoder: StaticEncoder,
    reading: Reading,
    targets: Targets,
    settings: Head,
    vectors_learning_rate: float,
    seed: int,
    title: str = "vectors and head",
) -> TunedVectors:
    """Train a copy of the vectors and a head; the same seed gives the same bytes on the same number of threads.

    Raises:
        DivergedError: the loss or its gradient is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    network = TunedVectors.of(encoder, reading, targets.columns, generator)
    groups = [
        Group(
            list(network.head.parameters()),
            settings.learning_rate,
            settings.weight_decay,
            "evaluation.head.learning_rate",
        ),
        Group([network.table.weight], vectors_learning_rate, 0.0, "evaluation.vectors_learning_rate"),
    ]
    train_jointly(
        network,
        lambda numbers: network([reading.inputs[number] for number in numbers], network.table),
        groups,
        reading,
        targets,
        words_of(reading),
        settings.epochs,
        settings.batch,
        generator,
        title,
    )
    return network


def words_of(reading: Reading) -> Integers:
    """How many positions are read of each input, its questions and other sides included."""
    return np.array([sum(len(part.starts) for part in item.sequences) for item in reading.inputs], np.int64)
