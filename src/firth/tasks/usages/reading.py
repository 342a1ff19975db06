"""What the usages ask of an encoder: rows of features for each example, and which characters a row stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reading:
    """Examples as an encoder reads them, before it has computed anything.

    `inputs` are the encoder's own, one an example; `counts` (examples,) how many rows of features each gives; `spans`,
    where rows are pieces of a text, the characters (rows, 2) of that text.
    """

    inputs: Sequence[Any]
    counts: Integers
    spans: Sequence[Integers] | None = None

    @cached_property
    def starts(self) -> Integers:
        """First row of each example, and the number of all rows behind the last: (examples + 1,)."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts)])


class Encoder(Protocol):
    """Word vectors or a BERT. `length` is the most tokens (pieces for BERT, words for vectors) of an example."""

    width: int
    """Numbers of a row."""

    def texts(self, texts: Sequence[str], length: int) -> Reading:
        """One row a text."""

    def pairs(self, firsts: Sequence[str], seconds: Sequence[str], length: int) -> Reading:
        """One row a pair."""

    def words(self, sentences: Sequence[Sequence[str]], length: int) -> Reading:
        """One row for each word of a sentence that was cut into words before, as far as it is read."""

    def spans(self, questions: Sequence[str], contexts: Sequence[str], length: int) -> Reading:
        """One row for each piece of a context that is read together with a question."""

    def features(self, reading: Reading) -> Floats:
        """The rows (sum of `counts`, width) of a reading of this encoder's own, in its order."""
