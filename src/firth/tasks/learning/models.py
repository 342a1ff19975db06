"""What was learned, as something to ask: an encoder, and what was trained on it or together with it.

Each gives the very outputs that it had when it was scored: products of a head are made by one thread, as in its
training. `firth.tasks.learning.finetune.Finetuned` is a fine-tuned BERT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from firth.tasks.encoders.contextual import BertEncoder, threads
from firth.tasks.encoders.reading import Encoder, Floats, Reading
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.learning.bilstm import Network
from firth.tasks.learning.heads import FrozenHead
from firth.tasks.learning.table import Table
from firth.tasks.learning.tokens import ContextualTokens, Moments, StaticTokens
from firth.tasks.learning.tuned import TunedVectors


class Model(Protocol):
    """An encoder and what answers with it."""

    @property
    def encoder(self) -> Encoder:
        """What reads the records."""

    def logits(self, reading: Reading) -> Floats:
        """(rows, columns) of all rows of a reading of the encoder's own."""


@dataclass(frozen=True, eq=False)
class LinearOnFeatures:
    """A linear head on frozen features."""

    encoder: Encoder
    head: FrozenHead

    def logits(self, reading: Reading) -> Floats:
        """See `Model`."""
        features = self.encoder.features(reading)
        with threads(1):
            return self.head.logits(features)


@dataclass(frozen=True, eq=False)
class LinearOnTuned:
    """A linear head on the means of word vectors that were tuned with it."""

    encoder: StaticEncoder
    network: TunedVectors

    def logits(self, reading: Reading) -> Floats:
        """See `Model`."""
        with threads(1):
            return self.network.logits(reading)


@dataclass(frozen=True, eq=False)
class BiLSTMOnVectors:
    """A BiLSTM on word vectors, tuned or not."""

    encoder: StaticEncoder
    table: Table
    network: Network

    def logits(self, reading: Reading) -> Floats:
        """See `Model`."""
        with threads(1):
            return self.network.logits(StaticTokens(self.encoder, reading, self.table.with_words_of(reading.inputs)))


@dataclass(frozen=True, eq=False)
class BiLSTMOnStates:
    """A BiLSTM on a frozen BERT's hidden states."""

    encoder: BertEncoder
    moments: Moments
    network: Network

    def logits(self, reading: Reading) -> Floats:
        """See `Model`."""
        with threads(1):
            return self.network.logits(ContextualTokens(self.encoder, reading, like=self.moments))
