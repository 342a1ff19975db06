"""Cross-entropy over a large vocabulary, summed: a few rows at a time, which then stay in the CPU's cache.

The logits of a step are its largest array. torch's own cross-entropy goes over it, and over copies of it, six times;
here the forward pass goes over it once, and the backward pass turns it into its gradient where it lies.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from firth.bert.data.packing import IGNORED, PackedBatch
from firth.bert.model import Logits

ROWS = 16
"""Rows that are worked on together."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Σ −log softmax(logits)[label] over rows whose label is not `IGNORED`: (P, V), (P,) -> (), float32.

    The logits must not be used after the backward pass.
    """
    if logits.device.type != "cpu" or logits.dtype != torch.float32 or torch.compiler.is_compiling():
        return F.cross_entropy(logits.float(), labels, ignore_index=IGNORED, reduction="sum")
    return _CrossEntropy.apply(logits, labels)  # type: ignore[no-any-return, no-untyped-call]


def pretraining_losses(logits: Logits, batch: PackedBatch) -> tuple[Tensor, Tensor]:
    """Summed over the batch: of masked words and of next sentences (0 where there are none)."""
    mlm = cross_entropy(logits.mlm, batch.masked_lm_labels)
    labels = batch.next_sentence_labels
    return mlm, mlm.new_zeros(()) if labels is None else cross_entropy(logits.nsp, labels)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        totals = torch.cat([part.logsumexp(1) for part in torch.split(logits, ROWS)])  # (P,)
        counted = labels != IGNORED
        chosen = logits.gather(1, labels.clamp(min=0)[:, None]).squeeze(1)
        ctx.save_for_backward(labels, totals)
        ctx.logits = logits.detach()
        return (totals - chosen)[counted].sum(dtype=torch.float64).float()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        labels, totals = ctx.saved_tensors
        scale = torch.where(labels == IGNORED, 0.0, gradient)[:, None]  # (P, 1)
        parts = (ctx.logits, totals[:, None], scale)
        for logits, total, weight in zip(*(torch.split(part, ROWS) for part in parts), strict=True):
            logits.sub_(total).exp_().mul_(weight)
        ctx.logits.scatter_add_(1, labels.clamp(min=0)[:, None], -scale)
        return ctx.logits, None
