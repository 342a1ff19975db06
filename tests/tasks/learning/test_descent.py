"""Steps against a gradient: rates, groups, the cut, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from firth.tasks.learning.descent import Descent, Group
from firth.tasks.learning.divergence import DivergedError


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values))


def moves(where: nn.Parameter, descent: Descent, steps: int, loss: Tensor | None = None) -> list[float]:
    """How far each step moves a parameter whose gradient is always 1: AdamW's step is then the rate."""
    found = []
    for _ in range(steps):
        before = where.detach().clone()
        descent.step(where.sum() if loss is None else loss)
        found.append((before - where.detach())[0].item())
    return found


def test_rates_rise_and_fall_linearly() -> None:
    where = parameter(0.0)
    descent = Descent([Group([where], 0.1, 0.0, "rate")], 10, "a training", warmup=4)
    expected = [0.025, 0.05, 0.075, 0.1, 0.1, 0.1 * 5 / 6, 0.1 * 4 / 6, 0.1 * 3 / 6, 0.1 * 2 / 6, 0.1 / 6]
    assert moves(where, descent, 10) == pytest.approx(expected, rel=1e-3)
    assert descent.made == 10
    where = parameter(0.0)
    assert moves(where, Descent([Group([where], 0.1, 0.0, "rate")], 4, "a training"), 4) == pytest.approx(
        [0.1, 0.075, 0.05, 0.025], rel=1e-3
    )


def test_each_group_has_its_own_rate_and_decay() -> None:
    still, fading = parameter(1.0), parameter(1.0)
    descent = Descent([Group([still], 0.01, 0.0, "a"), Group([fading], 0.1, 0.5, "b")], 1, "a training")
    assert descent.step((still * 0 + fading * 0).sum()) == 0.0
    assert still.item() == 1.0
    assert fading.item() == pytest.approx(1.0 - 0.1 * 0.5)


def test_gradients_are_cut_together_as_torch_cuts_them() -> None:
    ours, theirs = ([parameter(1.0, 2.0), parameter(3.0)] for _ in range(2))
    descent = Descent([Group(ours, 0.01, 0.1, "rate")], 5, "a training", clip=1.0)
    optimizer = torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.1, fused=True)
    for step in range(5):
        sides = [100.0**step * one[0].square().sum() * one[1].square().sum() for one in (ours, theirs)]
        descent.step(sides[0])
        optimizer.zero_grad()
        sides[1].backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(theirs, 1.0)
        optimizer.param_groups[0]["lr"] = 0.01 * (5 - step) / 5
        optimizer.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("factor", "why"), [(math.nan, "the loss is nan"), (math.inf, "the loss is inf")])
def test_a_step_into_nothing_is_refused_and_moves_nothing(factor: float, why: str) -> None:
    where = parameter(1.0)
    descent = Descent([Group([where], 0.1, 0.0, "head.learning_rate")], 10, "a training")
    moves(where, descent, 2)
    before = where.detach().clone()
    with pytest.raises(DivergedError, match=rf"a training diverged at step 3: {why}; lower head.learning_rate"):
        descent.step((where * factor).sum())
    assert torch.equal(where, before)


def test_a_gradient_that_is_no_number_is_refused_where_the_loss_is_one() -> None:
    where = parameter(0.0)
    with pytest.raises(DivergedError, match="the gradient's norm is inf"):
        Descent([Group([where], 0.1, 0.0, "rate")], 10, "a training", clip=1.0).step(where.sqrt().sum())
    assert where.item() == 0.0
