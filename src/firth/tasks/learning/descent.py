"""The steps of every training in this room: AdamW, rates that warm up and fall, gradients cut, no step into nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from firth.tasks.learning.divergence import check_finite


class Group(NamedTuple):
    """Parameters that are trained alike."""

    parameters: Sequence[nn.Parameter]
    learning_rate: float
    weight_decay: float
    setting: str
    """Which parameter sets the learning rate, for a message."""


class Descent:
    """AdamW on groups of parameters, a step for each loss that it is given.

    The rates rise linearly in the first `warmup` of `steps` and fall linearly to 0 behind them (section A.2).
    """

    def __init__(
        self, groups: Sequence[Group], steps: int, title: str, warmup: int = 0, clip: float = math.inf
    ) -> None:
        """Nothing is moved yet.

        Args:
            groups: what is trained.
            steps: how many there will be.
            title: what a message calls the training.
            warmup: steps until the rates are whole.
            clip: largest norm of all gradients together.
        """
        self.made = 0
        """Steps so far."""
        self._title, self._clip = title, clip
        self._parameters = [parameter for group in groups for parameter in group.parameters]
        self._rates = {group.setting: group.learning_rate for group in groups}
        self._optimizer = torch.optim.AdamW(
            [{"params": list(g.parameters), "lr": g.learning_rate, "weight_decay": g.weight_decay} for g in groups],
            fused=True,
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer,
            lambda step: (step + 1) / warmup if step < warmup else (steps - step) / max(1, steps - warmup),
        )

    def step(self, loss: Tensor) -> float:
        """Take a step against the gradient of `loss` (); the loss as a number.

        Raises:
            DivergedError: the loss or its gradient is not finite; the parameters stay as they are.
        """
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self._parameters, self._clip)
        value = loss.item()
        check_finite(value, norm.item(), self._title, self.made + 1, self._rates)
        self._optimizer.step()
        self._schedule.step()
        self.made += 1
        return value
