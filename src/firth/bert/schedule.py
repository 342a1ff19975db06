"""The learning rate, and when a training has ended: by steps, by tokens, by time, whichever is used up first.

The rate rises in a straight line over the steps of the warm-up, and falls in a straight line to 0 as the budget is used
up. Where steps alone count, that is the paper's schedule (appendix A.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from firth.config.bert import Bert


@dataclass(frozen=True)
class Progress:
    """What a training has used so far."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0


@dataclass
class Schedule:
    """The schedule of one training; `warm` is the share of the budget that the warm-up has used, once it has ended."""

    settings: Bert
    warm: float = 0.0

    def used(self, done: Progress) -> float:
        """The share of the budget that is used up, of the scarcest of the three."""
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
        optimizer = self.settings.optimizer
        if done.steps < optimizer.warmup_steps:
            self.warm = self.used(Progress(done.steps + 1, done.tokens, done.seconds))
            return optimizer.learning_rate * (done.steps + 1) / optimizer.warmup_steps
        if not (self.settings.tokens or self.settings.minutes):  # in whole numbers, to the last bit
            left = self.settings.steps - done.steps
            return optimizer.learning_rate * left / (self.settings.steps - optimizer.warmup_steps)
        return optimizer.learning_rate * max(0.0, 1.0 - self.used(done)) / max(1.0 - self.warm, 1e-9)
