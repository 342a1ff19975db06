"""Batches of random ids to pack, and what is compared of padded and packed ones."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from firth.bert.data.instances import Batch
from firth.bert.data.packing import IGNORED
from firth.bert.dropout import Dropout
from firth.bert.model import Logits, SelfAttention

LENGTH = 12


def rows(
    lengths: Sequence[int], predictions: Sequence[int], seed: int = 0, segments: bool = True, pairs: bool = True
) -> Batch:
    """A padded batch of random ids with rows of these lengths, each with so many predicted positions."""
    chance = np.random.default_rng(seed)
    width = max(lengths)
    ids = chance.integers(5, 60, (len(lengths), width))
    real = np.arange(width) < np.array(lengths)[:, None]
    ids[~real] = 0
    chosen = [
        row * width + place
        for row, (length, count) in enumerate(zip(lengths, predictions, strict=True))
        for place in sorted(chance.choice(length, count, replace=False))
    ]
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy((np.arange(width) > 2) & real).long() if segments else None,
        None if real.all() else torch.from_numpy(real),
        torch.tensor(chosen),
        torch.from_numpy(chance.integers(5, 60, len(chosen))),
        torch.from_numpy(chance.integers(0, 2, len(lengths))) if pairs else None,
        sum(lengths),
    )


def losses(logits: Logits, mlm_labels: Tensor, nsp_labels: Tensor) -> tuple[Tensor, Tensor]:
    mlm = F.cross_entropy(logits.mlm, mlm_labels, reduction="sum", ignore_index=IGNORED)
    nsp = F.cross_entropy(logits.nsp, nsp_labels, reduction="sum", ignore_index=IGNORED)
    return mlm, nsp


def without_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, SelfAttention):
            module.dropout = 0.0
        elif isinstance(module, Dropout):
            module.p = 0.0


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    found = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        found[name] = parameter.grad.clone()
    return found
