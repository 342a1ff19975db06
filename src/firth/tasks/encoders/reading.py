"""What the usages ask of an encoder: rows of features for each example, and which characters a row stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class Cut(NamedTuple):
    """Which examples are longer than `most` tokens, so that what is behind these is not read, and what set this bound.

    With windows, `query_length` bounds the question; a BERT cannot read more tokens than it has positions.
    """

    examples: NDArray[np.bool_]
    """(examples,)."""
    most: int
    bound: Literal["length", "query_length", "positions"]


@dataclass(frozen=True, eq=False)
class Reading:
    """Examples as an encoder reads them, before it has computed anything.

    `inputs` are the encoder's own, one an example, or one a window where a long text is read in several; `counts`
    (inputs,) how many rows of features each gives; `spans`, where rows are pieces of a text, the characters (rows, 2)
    of that text. With windows, `owners` (inputs,) ascends and says whose each is, and `begins` (inputs,) with which
    piece of the text it begins. `firsts` (rows of all inputs,), where rows are pieces of words, says which of them
    begin a word. `cut` says which examples are not read whole; a sequence that was made by hand has none.
    """

    inputs: Sequence[Any]
    counts: Integers
    spans: Sequence[Integers] | None = None
    owners: Integers | None = None
    begins: Integers | None = None
    firsts: NDArray[np.bool_] | None = None
    cut: Cut | None = None

    def owned(self, inputs: Integers) -> int:
        """How many examples `inputs` are of."""
        return len(inputs) if self.owners is None else len(np.unique(self.owners[inputs]))

    @cached_property
    def starts(self) -> Integers:
        """First row of each input, and the number of all rows behind the last: (inputs + 1,)."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts)])


class Windows(NamedTuple):
    """How a text that is longer than an encoder reads at a time is cut: see `firth.tasks.encoders.windows`."""

    stride: int
    """Pieces from one window's beginning to the next one's."""
    question: int
    """Most pieces of the question, which stands before each window."""


class Around(NamedTuple):
    """Words of the same document before and behind a sentence."""

    before: Sequence[str]
    after: Sequence[str]


class Encoder(Protocol):
    """Word vectors or a BERT. `length` is the most tokens (pieces for BERT, words for vectors) of an example."""

    width: int
    """Numbers of a row."""

    def texts(self, texts: Sequence[str], length: int) -> Reading:
        """One row a text."""

    def pairs(self, firsts: Sequence[str], seconds: Sequence[str], length: int) -> Reading:
        """One row a pair."""

    def choices(self, contexts: Sequence[str], endings: Sequence[Sequence[str]], length: int) -> Reading:
        """One row an ending, read together with its context."""

    def words(
        self,
        sentences: Sequence[Sequence[str]],
        length: int,
        around: Sequence[Around] | None = None,
        further: bool = False,
    ) -> Reading:
        """One row for each word of a sentence that was cut into words before, as far as it is read.

        `around` is read with the sentences, and gives no rows; with `further` a word's other pieces give rows too.
        """

    def spans(
        self, questions: Sequence[str], contexts: Sequence[str], length: int, windows: Windows | None = None
    ) -> Reading:
        """One row for each piece of a context that is read together with a question; all of it with `windows`."""

    def features(self, reading: Reading) -> Floats:
        """The rows (sum of `counts`, width) of a reading of this encoder's own, in its order."""
