"""Trainings lose, step by step, what they lost when their golden losses were kept (`make golden`)."""

import numpy as np
import pytest
from tests.support.golden_losses import STEPS, TRAININGS, golden

TOLERANCE = 1e-5
"""Relative. CPUs add floats in orders of their own (vectors of 4, 8 or 16, MKL or oneDNN): that moved the losses of 200
steps by less than 1e-6, which is how they are rounded. AdamW with a decay of 0.998 in place of 0.999 shows within 20
steps."""


def first_difference(found, kept, curve):
    """Which step of `curve` is the first beyond the tolerance, and how; empty if there is none."""
    assert len(found) == len(kept) == STEPS
    apart = np.abs(np.array(found) - kept) > TOLERANCE * np.abs(kept)
    if not apart.any():
        return ""
    step = int(apart.argmax())
    return f"{curve}: step {step + 1} lost {found[step]:.6f}, golden {kept[step]:.6f}; {apart.sum()} of {STEPS} differ"


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_the_first_200_steps_lose_what_they_lost(name):
    found, kept = TRAININGS[name](), golden(name)
    assert found.keys() == kept.keys()
    assert not list(filter(None, (first_difference(found[curve], kept[curve], curve) for curve in kept)))


@pytest.mark.parametrize(
    ("name", "curve", "falls"), [("bert", "masked words", 0.5), ("skipgram", "skipgram", 0.6), ("cbow", "cbow", 0.9)]
)
def test_the_golden_losses_fall(name, curve, falls):
    """By so many nats from the first 20 steps to the last 20."""
    losses = golden(name)[curve]
    assert np.mean(losses[:20]) - np.mean(losses[-20:]) > falls


def test_the_first_step_that_differs_is_named():
    kept = golden("cbow")["cbow"]
    assert not first_difference(kept, kept, "cbow")
    changed = [loss * (1 + 2e-4 * (step > 41)) for step, loss in enumerate(kept)]
    assert first_difference(changed, kept, "cbow").startswith("cbow: step 43 lost")
    assert "158 of 200 differ" in first_difference(changed, kept, "cbow")
