"""What trains one model: the interface that all backends share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.choices import ModelName
from firth.config.word2vec import Word2Vec
from firth.errors import DataError, IntegrityError
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.matrices import Floats

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Result:
    """What a stretch of the stream gave: `words` read, `examples` (pairs, or centres for CBOW), their summed `loss`."""

    words: int
    examples: int
    loss: float

    @property
    def mean_loss(self) -> float:
        """Loss per example; 0 where there was none."""
        return self.loss / self.examples if self.examples else 0.0


class Engine(ABC):
    """One model in memory and its training, by one of the backends.

    `state` is all that training goes on from: `input` (vocabulary, dim); `output` (vocabulary, dim), or `nodes`
    (vocabulary − 1, dim) of the Huffman tree; with subwords `ngrams` (buckets, dim), and `input` is then each word's
    own row. On a CPU these are views that training changes, from a GPU they are copies; `restore` takes either back.
    `vectors` is what a trained model gives away: the same, but `input` as it is used.
    """

    def __init__(self, model: ModelName, vocabulary: Vocabulary, settings: Word2Vec) -> None:
        if len(vocabulary) < 2:
            raise DataError(
                f"the vocabulary has {len(vocabulary)} word(s): word2vec needs 2 or more; "
                "lower words.min_count or add text"
            )
        self.model = model
        self.vocabulary = vocabulary
        self.settings = settings
        self.learning_rate = settings.recipe(model).learning_rate

    @property
    @abstractmethod
    def state(self) -> dict[str, Floats]:
        """All that training goes on from, float32."""

    @abstractmethod
    def train(self, stream: Ids, start: int, stop: int, key: tuple[int, int], seen: int, total: int) -> Result:
        """Train on `stream[start:stop]`.

        `key` is (epoch, block), which with the seed determines all random numbers. `seen` corpus words came before this
        stretch, all epochs together, of `total` in the whole training.
        """

    @abstractmethod
    def evaluate(self, stream: Ids) -> Result:
        """The loss on `stream` with subsampling, windows and noise the same at every call; nothing is learnt."""

    def vectors(self) -> dict[str, Floats]:
        """What is saved when training has ended; copies, without padding."""
        return {name: np.array(matrix, order="C") for name, matrix in self.state.items()}

    def restore(self, state: Mapping[str, Floats]) -> None:
        """Take over what `state` returned; another shape is refused."""
        for name, mine in self.state.items():
            if name not in state or state[name].shape != mine.shape:
                raise IntegrityError(f"the checkpoint's {name} matrix does not have the shape {mine.shape}")
            mine[:] = state[name]

    def rate_at(self, words: int, total: int) -> float:
        """The learning rate after `words` of `total` corpus words."""
        return self.learning_rate * max(1.0 - words / total, self.settings.min_learning_rate)

    def close(self) -> None:  # noqa: B027 - most backends hold nothing
        """Give back threads and device memory."""
