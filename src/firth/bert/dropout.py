"""Dropout (Srivastava et al., 2014) whose chance is a counter's: what is dropped is found again, not kept.

On a CPU torch draws its random numbers one after the other, which takes longer than any other step between two matrix
products. Here number i of a call is 16 bits of a mixed counter (`training.splitmix`), so that values are dropped
several at a time, on all threads, and the backward pass draws the same numbers again. The key of a call comes from
torch's own generator: `torch.manual_seed` means what it always means. Elsewhere than on a CPU torch's own dropout is
used.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

PART = 1 << 18
"""Fewer values are not shared among threads."""


class Dropout(nn.Module):
    """Each value is 0 with probability `p`, the others are divided by 1 − p; only in training."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, hidden: Tensor) -> Tensor:
        """The same shape."""
        return dropped(hidden, self.p) if self.training else hidden


def dropped(hidden: Tensor, p: float) -> Tensor:
    """`hidden` with dropout of probability `p`."""
    if p == 0.0:
        return hidden
    if hidden.device.type != "cpu" or hidden.dtype != torch.float32 or torch.compiler.is_compiling():
        return F.dropout(hidden, p)
    key = int(torch.randint(-(1 << 63), (1 << 63) - 1, ()))
    return _Dropped.apply(hidden, p, key)  # type: ignore[no-any-return, no-untyped-call]


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, p: float, key: int) -> Tensor:
        ctx.p, ctx.key = p, key
        return _run(hidden, p, key)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _run(gradient, ctx.p, ctx.key), None, None


def _run(hidden: Tensor, p: float, key: int) -> Tensor:
    from firth.bert.dropout_kernel import RESOLUTION, TOGETHER, drop

    source = hidden.detach().contiguous()
    target = torch.empty_like(source)
    values, out = source.view(-1).numpy(), target.view(-1).numpy()
    threshold, scale = np.uint64(round(p * RESOLUTION)), np.float32(1.0 / (1.0 - p))
    state = np.uint64(key % (1 << 64))
    threads = min(torch.get_num_threads(), max(1, len(values) // PART))
    cuts = [len(values) * i // threads // TOGETHER * TOGETHER for i in range(threads)] + [len(values)]

    def part(i: int) -> None:
        drop(values[cuts[i] : cuts[i + 1]], cuts[i], state, threshold, scale, out[cuts[i] : cuts[i + 1]])

    if threads == 1:
        part(0)
    else:
        list(_pool(threads).map(part, range(threads)))
    return target


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="dropout")
