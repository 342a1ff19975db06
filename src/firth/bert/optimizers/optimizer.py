"""The optimizers: AdamW as in the paper (appendix A.2), LAMB and Muon; none decays biases and LayerNorm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from firth.bert.model import Pretraining
from firth.bert.optimizers.lamb import Lamb
from firth.bert.optimizers.muon import Muon
from firth.config.bert import Optimizer
from firth.training.parts import held_like, whole

MOMENTS = ("exp_avg", "exp_avg_sq", "momentum_buffer")
"""What is kept of a parameter, beside the number of updates: the first two by AdamW and LAMB, the last by Muon."""


def make_optimizer(model: Pretraining, settings: Optimizer) -> torch.optim.Optimizer:
    """The optimizer that `settings` name; its one rate, which `set_rate` sets, is for all parameters."""
    parameters = list(model.parameters())
    if settings.name == "lamb":
        return _lamb(parameters, settings)
    if settings.name == "muon":
        linear = [part.weight for part in model.encoder.layers.modules() if isinstance(part, nn.Linear)]
        theirs = set(map(id, linear))
        others = _adamw([p for p in parameters if id(p) not in theirs], settings)
        return Muon(linear, others, settings.learning_rate, settings.weight_decay)
    return adamw(model, settings)


def adamw(model: nn.Module, settings: Optimizer) -> torch.optim.AdamW:
    """Adam with decoupled decay: matrices decay, vectors (biases, LayerNorm) do not."""
    return _adamw(list(model.parameters()), settings)


def _adamw(parameters: Sequence[Tensor], settings: Optimizer) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        _groups(parameters, settings),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        fused=True,
    )


def _lamb(parameters: Sequence[Tensor], settings: Optimizer) -> Lamb:
    matrices, vectors = _groups(parameters, settings)
    betas = (settings.beta1, settings.beta2)
    return Lamb([matrices, vectors | {"adapted": False}], settings.learning_rate, betas, settings.epsilon)


def _groups(parameters: Sequence[Tensor], settings: Optimizer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Matrices, which decay, and vectors (biases, LayerNorm), which do not."""
    return (
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    )


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
    return whole(norm)


def moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """(`exp_avg.NAME`, array) and so on, of every parameter that has been updated."""
    for name, parameter in model.named_parameters():
        state = optimizer.state.get(parameter, {})
        for moment in MOMENTS:
            if moment in state:
                yield f"{moment}.{name}", whole(state[moment].detach()).cpu().numpy()


def restore(model: nn.Module, optimizer: torch.optim.Optimizer, arrays: dict[str, NDArray[Any]], updates: int) -> None:
    """Take up the moments that `moments` gave after so many updates: on a CPU these very `arrays`, not copies."""
    for name, parameter in model.named_parameters():
        kept = [moment for moment in MOMENTS if f"{moment}.{name}" in arrays]
        if not kept:
            continue
        state = {m: held_like(parameter, torch.from_numpy(arrays[f"{m}.{name}"])) for m in kept}
        if "exp_avg" in state:  # AdamW counts here, with its moments
            state["step"] = torch.tensor(float(updates), device=parameter.device, dtype=torch.float32)
        optimizer.state[parameter] = state
    for group in optimizer.param_groups:
        if "updates" in group:  # LAMB counts here
            group["updates"] = updates
