"""AdamW as in the paper (appendix A.2): no decay of biases and LayerNorm, linear warm-up, linear decay to 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from firth.config.bert import Optimizer

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of each parameter, beside the number of its updates."""


def adamw(model: nn.Module, settings: Optimizer) -> torch.optim.AdamW:
    """The optimizer of `model`: matrices decay, vectors (biases, LayerNorm) do not."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=(settings.beta1, settings.beta2), eps=settings.epsilon, fused=True
    )


def make_optimizer(model: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    """The optimizer that `settings` name."""
    if settings.name == "adamw":
        return adamw(model, settings)
    raise NotImplementedError(settings.name)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use `rate` for all groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip(model: nn.Module, largest: float) -> torch.Tensor:
    """The norm of all gradients together, which is brought down to `largest` unless that is 0."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if largest > 0:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), largest, norm)
    return norm


def moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """(`exp_avg.NAME`, array) and so on, of every parameter that has been updated."""
    for name, parameter in model.named_parameters():
        for moment in MOMENTS:
            if moment in (state := optimizer.state.get(parameter, {})):
                yield f"{moment}.{name}", state[moment].detach().cpu().numpy()


def restore(model: nn.Module, optimizer: torch.optim.Optimizer, arrays: dict[str, NDArray[Any]], updates: int) -> None:
    """Take up the moments that `moments` gave after so many updates."""
    for name, parameter in model.named_parameters():
        if f"{MOMENTS[0]}.{name}" in arrays:
            state: dict[str, Any] = {
                moment: torch.from_numpy(arrays[f"{moment}.{name}"].copy()).to(parameter.device) for moment in MOMENTS
            }
            optimizer.state[parameter] = state | {
                "step": torch.tensor(float(updates), device=parameter.device, dtype=torch.float32)
            }
