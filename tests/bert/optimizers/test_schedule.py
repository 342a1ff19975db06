import numpy as np
import pytest

from firth.bert.optimizers.schedule import Progress, Schedule
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


@pytest.mark.parametrize("warmup", [20, 10_000])
@pytest.mark.parametrize(
    ("budget", "after"),
    [
        ({"tokens": 1000}, lambda step: Progress(step, 50 * step)),
        ({"minutes": 1.0}, lambda step: Progress(step, 0, 3.0 * step)),
    ],
)
def test_a_budget_that_is_too_small_for_its_warm_up_rises_half_and_falls_half(budget, after, warmup):
    """Twenty steps use it up."""
    found = schedule(steps=1_000_000, warmup=warmup, **budget)
    rates = [found.rate(after(step)) for step in range(21)]
    assert rates == sorted(rates[:11]) + sorted(rates[11:], reverse=True)
    assert max(rates) == pytest.approx(0.1, rel=0.15)
    assert rates[20] == 0.0
    np.testing.assert_allclose(np.diff(rates[1:10]), 0.01)
    np.testing.assert_allclose(np.diff(rates[11:]), -0.01, rtol=0.2)


def test_a_warm_up_of_steps_that_fits_is_not_hurried():
    found = schedule(steps=1_000_000, warmup=10, tokens=1000)
    rates = [found.rate(Progress(step, 10 * step)) for step in range(100)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 100)
    assert rates[10] == pytest.approx(0.1, rel=0.02)
    assert found.warm == pytest.approx(0.09)


def test_one_step_that_uses_a_budget_up_is_the_only_one():
    found = schedule(steps=1_000_000, warmup=100, minutes=1.0)
    assert found.rate(Progress()) == pytest.approx(0.001)
    assert found.over(Progress(1, 0, 61.0))
    assert found.rate(Progress(200, 0, 61.0)) == 0.0


def test_rates_are_recorded_by_the_clock_only_and_followed_again():
    def run(which, seconds):
        done, found = Progress(), []
        while not which.over(done):
            found.append(which.rate(done))
            done = Progress(done.steps + 1, 0, done.seconds + seconds(done.steps))
        return found

    timed = schedule(steps=1000, minutes=1.0)
    rates = run(timed, lambda step: 3.0 + step % 3)
    assert timed.realised == rates
    assert 10 < len(rates) < 30
    again = Schedule(timed.settings, rates)
    assert run(again, lambda _step: 0.0) == rates
    assert again.realised == rates
    assert run(schedule(steps=1000, minutes=1.0), lambda step: 4.0 + step % 3) != rates
    # After a kill a step is taken again: its rate is recorded once.
    timed.rate(Progress(5, 0, 30.0))
    assert len(timed.realised) == 6
    untimed = schedule()
    untimed.rate(Progress())
    assert untimed.realised == []


def test_the_scarcest_budget_counts():
    found = schedule(steps=100, tokens=1000, minutes=1.0)
    assert found.used(Progress(10, 500, 6.0)) == 0.5
    assert found.used(Progress(10, 50, 54.0)) == 0.9
    assert found.used(Progress(20, 50, 6.0)) == 0.2
