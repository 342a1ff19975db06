import json

import pytest

from firth.bert.optimizers.spikes import ENOUGH, WINDOW, Spikes
from firth.config.bert import Optimizer


def fed(norms, times=3.0):
    spikes = Spikes(times)
    return spikes, [spikes.is_spike(norm) for norm in norms]


def test_what_stands_out_is_a_spike_once_enough_is_known(capsys):
    _, early = fed([1.0] * (ENOUGH - 1) + [1000.0])
    assert not any(early)
    spikes, found = fed([1.0] * ENOUGH + [2.9, 3.1, 1.0, 1e9])
    assert found == [False] * ENOUGH + [False, True, False, True]
    assert spikes.skipped == 2
    assert "the gradient's norm is 3.1, 3.1 times the median of the last 21 steps" in capsys.readouterr().err


def test_without_the_option_nothing_is_a_spike_nor_kept():
    spikes, found = fed([1.0] * 50 + [1e9], times=0.0)
    assert not any(found)
    assert not spikes.norms
    assert spikes.counts == {}


def test_the_first_ones_are_told_of_and_the_others_counted(capsys):
    spikes, _ = fed([1.0] * 50 + [9.0] * 7)
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 3
    assert err[-1].endswith("more of these are counted only")
    assert spikes.counts == {"skipped_updates": 7}


def test_gradients_that_have_grown_for_good_are_followed_again():
    spikes, found = fed([1.0] * WINDOW + [10.0] * WINDOW)
    assert sum(found) == spikes.skipped == WINDOW // 2
    assert not any(found[WINDOW + WINDOW // 2 :])


def test_a_state_goes_on_as_if_nothing_had_happened(capsys):
    norms = [1.0 + (7 * number % 11) / 10 for number in range(250)]
    for number in (30, 90, 180):
        norms[number] = 50.0
    _, whole = fed(norms)
    first, before = fed(norms[:100])
    second = Spikes(3.0)
    second.restore(json.loads(json.dumps(first.state)))
    assert before + [second.is_spike(norm) for norm in norms[100:]] == whole
    assert second.skipped == 3
    capsys.readouterr()


@pytest.mark.parametrize("times", [0.5, 1.0])
def test_a_threshold_that_leaves_out_half_of_all_updates_is_refused(times):
    with pytest.raises(ValueError, match="must exceed 1"):
        Optimizer(skip_spikes=times)
