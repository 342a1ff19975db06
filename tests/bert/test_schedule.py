import numpy as np
import pytest

from firth.bert.schedule import Progress, Schedule
from firth.config.bert import Bert, Optimizer


def schedule(steps=10, warmup=4, **changes):
    return Schedule(Bert(steps=steps, optimizer=Optimizer(learning_rate=0.1, warmup_steps=warmup), **changes))


def test_the_rate_rises_to_the_highest_and_falls_to_nothing():
    rates = [schedule().rate(Progress(step)) for step in range(10)]
    np.testing.assert_allclose(rates[:5], [0.025, 0.05, 0.075, 0.1, 0.1])
    np.testing.assert_allclose(np.diff(rates[4:]), [-0.1 / 6] * 5)
    assert rates[-1] == pytest.approx(0.1 / 6)
    assert schedule().rate(Progress(10)) == 0.0
    assert schedule(warmup=0).rate(Progress(0)) == 0.1


def test_steps_end_a_training():
    assert not schedule().over(Progress(9, 10**9, 1e9))
    assert schedule().over(Progress(10))


@pytest.mark.parametrize(
    ("budget", "after"),
    [
        ({"tokens": 1000}, lambda step: Progress(step, 100 * step)),
        ({"minutes": 1.0}, lambda step: Progress(step, 0, 6.0 * step)),
    ],
)
def test_a_budget_of_tokens_or_time_ends_a_training_and_the_rate_with_it(budget, after):
    """Ten steps use it up, as ten steps would."""
    by_steps, found = schedule(), schedule(steps=1_000_000, **budget)
    rates = [found.rate(after(step)) for step in range(11)]
    np.testing.assert_allclose(rates, [by_steps.rate(Progress(step)) for step in range(11)], atol=0.1 / 6)
    assert rates[4] == pytest.approx(0.1, rel=0.2)
    assert rates[10] == 0.0
    assert [found.over(after(step)) for step in (9, 10, 11)] == [False, True, True]


def test_the_scarcest_budget_counts():
    found = schedule(steps=100, tokens=1000, minutes=1.0)
    assert found.used(Progress(10, 500, 6.0)) == 0.5
    assert found.used(Progress(10, 50, 54.0)) == 0.9
    assert found.used(Progress(20, 50, 6.0)) == 0.2
