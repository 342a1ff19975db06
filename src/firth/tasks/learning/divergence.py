"""Trainings that diverge: their loss, or its gradient, is no longer a number that can be learned from."""

from __future__ import annotations

import math
from collections.abc import Mapping

from firth.errors import FirthError


class DivergedError(FirthError):
    """A training has diverged. With another seed or another rate the same training may well succeed."""

    def __init__(self, training: str, step: int, why: str, rates: Mapping[str, float]) -> None:
        self.step = step
        """The step, from 1, that could not be made."""
        lower = " or ".join(f"{setting} (now {rate})" for setting, rate in rates.items())
        super().__init__(f"{training} diverged at step {step}: {why}; lower {lower}")


def check_finite(loss: float, gradient: float, training: str, step: int, rates: Mapping[str, float]) -> None:
    """Refuse a step whose weights would be no numbers.

    Args:
        loss: that of the step.
        gradient: the norm of all gradients, before they are cut. An infinite one is cut to no number at all, and the
            loss would say so at the next step only, of which the last has none.
        training: what a message calls it.
        step: the step's number, from 1.
        rates: the settings that the learning rates came from, and the rates.

    Raises:
        DivergedError: one of the two is not finite.
    """
    if not math.isfinite(loss):
        raise DivergedError(training, step, f"the loss is {loss}", rates)
    if not math.isfinite(gradient):
        raise DivergedError(training, step, f"the gradient's norm is {gradient}", rates)
