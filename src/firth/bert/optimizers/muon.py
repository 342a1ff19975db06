"""Muon (Jordan et al., 2024) for the matrices of the encoder's layers, AdamW for all other parameters.

The momentum of a matrix is replaced by the nearest matrix whose singular values are all about 1: every direction is
learned at the same pace. Such an update of A x B numbers has a root mean square of 1 / √max(A, B); it is multiplied by
0.2 √max(A, B), which gives it that of a usual AdamW update (Liu et al., 2025, "Muon is scalable for LLM training"). So
one learning rate and one weight decay, found with AdamW, serve both.

torch has a Muon of its own, which takes one matrix at a time. Here all matrices of one shape go through together: a
BERT has three shapes, so that a GPU is given dozens of kernels in a step and not more than a thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from firth.training.products import has_bfloat16

MOMENTUM = 0.95
"""Share of the momentum that a step keeps (Nesterov's form); AdamW's `beta1` is for the other parameters only."""

LIKE_ADAMW = 0.2
"""Root mean square of an update, before it is multiplied by the rate."""

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of x, x³ and x⁵: five rounds bring every singular value from 0.01 to 1 between 0.68 and 1.14."""

ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """One optimizer of two: `param_groups` are those of both, and so is the state.

    Matrices are decayed as AdamW decays: by rate times `weight_decay` of themselves. State of a matrix:
    `momentum_buffer`; of another parameter: AdamW's.
    """

    def __init__(
        self, matrices: Iterable[Tensor], others: torch.optim.AdamW, rate: float, weight_decay: float = 0.01
    ) -> None:
        super().__init__([{"params": list(matrices)}], {"lr": rate, "weight_decay": weight_decay})
        self.others = others
        self.others.state = self.state
        self.own = self.param_groups[0]
        self.param_groups.extend(others.param_groups)  # the very same dicts: a rate that is set here reaches them

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; nothing waits for the device."""
        assert closure is None, "the gradients are there already"
        self.others.step()
        shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for matrix in self.own["params"]:
            if matrix.grad is not None:
                shapes[matrix.shape].append(matrix)
        for matrices in shapes.values():
            self._update(matrices)

    def _update(self, matrices: list[Tensor]) -> None:
        rate, decay = self.own["lr"], self.own["weight_decay"]
        gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
        for matrix in matrices:
            if not self.state[matrix]:
                self.state[matrix] = {"momentum_buffer": torch.zeros_like(matrix)}
        momentum = [self.state[matrix]["momentum_buffer"] for matrix in matrices]
        torch._foreach_lerp_(momentum, gradients, 1.0 - MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momentum, MOMENTUM)
        update = orthogonal(torch.stack(ahead)).to(matrices[0].dtype)
        torch._foreach_mul_(matrices, 1.0 - rate * decay)
        torch._foreach_add_(matrices, list(update.unbind()), alpha=-rate * LIKE_ADAMW * max(matrices[0].shape) ** 0.5)


def orthogonal(matrices: Tensor) -> Tensor:
    """(N, A, B) -> (N, A, B): each with its singular vectors as before and singular values near 1.

    Rounds of an odd polynomial (Newton and Schulz's iteration) act on the singular values alone. They need no
    decomposition and bear bfloat16: a CPU with instructions for it takes a fifth of float32's time. One without would
    take twenty times as long; there they are done in float32.
    """
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT  # (N, A, B) with A ≤ B: the products are (A, A)
    x = x.bfloat16() if x.is_cuda or has_bfloat16() else x.float()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)  # no singular value above 1
    a, b, c = COEFFICIENTS
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.mT
