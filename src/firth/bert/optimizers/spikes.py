"""Updates that are left out because their gradient is far larger than those before: a bad batch, not a direction."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Any

WINDOW = 100
"""Steps whose norms are kept."""

ENOUGH = 20
"""Norms that must be known before one can stand out."""

SAID = 3
"""Updates left out that are told of one by one; more are only counted."""


class Spikes:
    """The norms of the last steps, and how many updates were left out.

    The norm of a spike is kept like any other: where gradients have grown for good, the median follows, and training
    goes on after half a window.
    """

    def __init__(self, times: float, tells: bool = True) -> None:
        """A norm of more than `times` the median is a spike; with 0 none is. `tells`: say so on stderr."""
        self.times, self.tells, self.skipped = times, tells, 0
        self.norms: deque[float] = deque(maxlen=WINDOW)

    def is_spike(self, norm: float) -> bool:
        """Whether the next step's gradient, of `norm` before clipping, stands out; takes note of it."""
        if not self.times:
            return False
        known = len(self.norms)
        usual = median(self.norms) if known >= ENOUGH else float("inf")
        self.norms.append(norm)
        if norm <= self.times * usual:
            return False
        self.skipped += 1
        if self.tells and self.skipped <= SAID:
            more = "; more of these are counted only" if self.skipped == SAID else ""
            print(
                f"bert: the gradient's norm is {norm:.3g}, {norm / usual:.1f} times the median of the last "
                f"{known} steps: this update is left out{more}",
                file=sys.stderr,
                flush=True,
            )
        return True

    @property
    def counts(self) -> dict[str, int]:
        """For the history: how many updates were left out, where any may be."""
        return {"skipped_updates": self.skipped} if self.times else {}

    @property
    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON."""
        return {"norms": list(self.norms), "skipped": self.skipped}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` was."""
        self.skipped = state["skipped"]
        self.norms.clear()
        self.norms.extend(state["norms"])
