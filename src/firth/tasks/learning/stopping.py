"""Early stopping: of one training's epochs the one that is best on the dev side."""

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
    """Asked after each epoch, it keeps the outputs of the one that scores best; of equals the first."""

    def __init__(self, dev: Reading, score: Callable[[Floats], float]) -> None:
        self._dev, self._score = dev, score
        self._best: tuple[float, Learned] | None = None

    def __call__(self, tuned: Tuned, epoch: int) -> bool:
        """Look at `tuned` after `epoch` epochs; the training always goes on: a later one may be better."""
        logits = tuned.logits(self._dev)
        score = self._score(logits)
        if self._best is None or score > self._best[0]:
            self._best = score, Learned(logits, epoch)
        return False

    @property
    def learned(self) -> Learned:
        """Of the best epoch so far; there must have been one."""
        assert self._best is not None
        return self._best[1]
