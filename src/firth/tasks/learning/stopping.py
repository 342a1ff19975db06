"""Early stopping: of one training's epochs the one that is best on the dev side, and no more without a gain."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from firth.tasks.encoders.reading import Floats, Reading


class Learned(NamedTuple):
    """What one training comes to: the head's outputs for the dev side, (rows, columns)."""

    logits: Floats
    epoch: int | None = None
    """After which epoch, where that was chosen by the dev side."""


class Tuned(Protocol):
    """Something trained that can be asked."""

    def logits(self, reading: Reading) -> Floats:
        """(rows, columns) of the reading's rows."""


class BestEpoch:
    """Asked after each epoch, it keeps the outputs of the one that scores best; of equals the first.

    The training ends with `patience` epochs in a row that are no better.
    """

    def __init__(self, dev: Reading, score: Callable[[Floats], float], patience: int) -> None:
        self._dev, self._score, self._patience = dev, score, patience
        self._best: tuple[float, Learned] | None = None
        self._vain = 0

    def __call__(self, tuned: Tuned, epoch: int) -> bool:
        """Look at `tuned` after `epoch` epochs; True ends the training."""
        logits = tuned.logits(self._dev)
        score = self._score(logits)
        if self._best is None or score > self._best[0]:
            self._best, self._vain = (score, Learned(logits, epoch)), 0
        else:
            self._vain += 1
        return self._vain >= self._patience

    @property
    def learned(self) -> Learned:
        """Of the best epoch so far; there must have been one."""
        assert self._best is not None
        return self._best[1]
