"""Batches of random ids to pack, and what is compared of padded and packed ones."""

import numpy as np
import torch
import torch.nn.functional as F

from firth.bert.dropout import Dropout
from firth.bert.instances import Batch
from firth.bert.model import SelfAttention
from firth.bert.packing import IGNORED

LENGTH = 12


def rows(lengths, predictions, seed=0, segments=True, pairs=True):
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


def losses(logits, mlm_labels, nsp_labels):
    mlm = F.cross_entropy(logits.mlm, mlm_labels, reduction="sum", ignore_index=IGNORED)
    nsp = F.cross_entropy(logits.nsp, nsp_labels, reduction="sum", ignore_index=IGNORED)
    return mlm, nsp


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, SelfAttention):
            module.dropout = 0.0
        elif isinstance(module, Dropout):
            module.p = 0.0


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
