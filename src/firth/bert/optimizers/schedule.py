"""The learning rate, and when a training has ended: by steps, by tokens, by time, whichever is used up first.

The rate rises in a straight line over the steps of the warm-up, and falls in a straight line to 0 as the budget is used
up. Where steps alone count, that is the paper's schedule (appendix A.2). Of a budget of tokens or time the warm-up
takes half at most: a budget that turns out too small for it still ends at a rate of 0.

By the clock no two runs have the same rates. They are therefore recorded, and can be followed again, step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from firth.config.bert import Bert

WARMUP_AT_MOST = 0.5
"""Share of a budget of tokens or time."""


@dataclass(frozen=True)
class Progress:
    """What a training has used so far."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0


@dataclass
class Schedule:
    """The schedule of one training."""

    settings: Bert
    replayed: Sequence[float] | None = None
    """The rate of each step, of a training that is repeated: nothing else is asked."""
    warm: float = 0.0
    """The share of the budget that the warm-up has used, once it has ended."""
    realised: list[float] = field(default_factory=list)
    """The rate of each step so far, of a training by the clock or its repetition; else empty: the settings say it."""

    def used(self, done: Progress) -> float:
        """The share of the budget that is used up, of the scarcest of the three."""
        if self.replayed is not None:
            return done.steps / len(self.replayed)
        settings = self.settings
        shares = [done.steps / settings.steps]
        if settings.tokens:
            shares.append(done.tokens / settings.tokens)
        if settings.minutes:
            shares.append(done.seconds / (60.0 * settings.minutes))
        return max(shares)

    def over(self, done: Progress) -> bool:
        """Whether the training has ended."""
        return self.used(done) >= 1.0

    def rate(self, done: Progress) -> float:
        """The rate of the step that comes next: the highest at the end of the warm-up, 0 where the budget ends."""
        rate = self._planned(done) if self.replayed is None else self.replayed[done.steps]
        if self.settings.minutes:
            self.realised[done.steps :] = [rate]
        return rate

    def _planned(self, done: Progress) -> float:
        optimizer, steps, used = self.settings.optimizer, self.settings.steps, self.used(done)
        by_steps = not (self.settings.tokens or self.settings.minutes)
        if done.steps < optimizer.warmup_steps and (by_steps or used < WARMUP_AT_MOST):
            self.warm = self.used(Progress(done.steps + 1, done.tokens, done.seconds))
            risen = (done.steps + 1) / optimizer.warmup_steps
            if by_steps:
                return optimizer.learning_rate * (done.steps + 1) / optimizer.warmup_steps
            return optimizer.learning_rate * max(risen, used / WARMUP_AT_MOST)
        if by_steps:  # in whole numbers, to the last bit
            return optimizer.learning_rate * (steps - done.steps) / (steps - optimizer.warmup_steps)
        return optimizer.learning_rate * max(0.0, 1.0 - used) / max(1.0 - self.warm, 1e-9)
