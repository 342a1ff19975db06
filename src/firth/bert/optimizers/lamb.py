"""LAMB (You et al., 2020, algorithm 2): Adam whose update of each matrix is as long as the matrix times the rate.

With batches of thousands AdamW's rate cannot grow with the batch: some matrices change too much in one step. Here the
update of each is divided by its own length and multiplied by that of the weights (the trust ratio), so that one rate
fits all. It is a relative change, and as such about ten times the rate that AdamW takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class Lamb(torch.optim.Optimizer):
    """Parameters in groups: with `adapted` the trust ratio applies, without it the update is Adam's.

    State of each parameter: `exp_avg` and `exp_avg_sq`, as AdamW's; each group counts its `updates`.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-6,
        weight_decay: float = 0.01,
    ) -> None:
        defaults = {"lr": rate, "betas": betas, "eps": epsilon, "weight_decay": weight_decay}
        super().__init__(groups, defaults | {"adapted": True, "updates": 0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; nothing waits for the device."""
        assert closure is None, "the gradients are there already"
        for group in self.param_groups:
            if parameters := [p for p in group["params"] if p.grad is not None]:
                self._update(group, parameters)

    def _update(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        (beta1, beta2), decay = group["betas"], group["weight_decay"]
        group["updates"] += 1
        gradients = [p.grad for p in parameters if p.grad is not None]
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter] = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
        first = [self.state[p]["exp_avg"] for p in parameters]  # m
        second = [self.state[p]["exp_avg_sq"] for p in parameters]  # v
        torch._foreach_lerp_(first, gradients, 1.0 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1.0 - beta2)
        # r = m̂ / (√v̂ + ε), where m̂ and v̂ make up for moments that began at 0.
        scale = torch._foreach_sqrt(second)
        torch._foreach_div_(scale, (1.0 - beta2 ** group["updates"]) ** 0.5)
        torch._foreach_add_(scale, group["eps"])
        update = torch._foreach_div(first, scale)
        torch._foreach_div_(update, 1.0 - beta1 ** group["updates"])
        if decay:
            torch._foreach_add_(update, parameters, alpha=decay)
        if group["adapted"]:
            torch._foreach_mul_(update, _trust_ratios(parameters, update))
        torch._foreach_add_(parameters, update, alpha=-group["lr"])


def _trust_ratios(parameters: list[Tensor], update: list[Tensor] | tuple[Tensor, ...]) -> list[Tensor]:
    """Of each matrix: the norm of its weights over that of its update, 1 where one of the two is 0."""
    weights, updates = torch.stack(torch._foreach_norm(parameters)), torch.stack(torch._foreach_norm(update))
    return list(torch.where((weights > 0) & (updates > 0), weights / updates, 1.0).unbind())
