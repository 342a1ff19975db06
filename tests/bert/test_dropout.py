import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.bert import dropout
from firth.bert.dropout import Dropout, dropped


def drawn(shape, p, seed=1):
    torch.manual_seed(seed)
    return dropped(torch.ones(shape), p)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_is_met_and_the_mean_kept(p):
    found = drawn((1000, 1000), p)
    share = float((found == 0).double().mean())
    assert abs(share - p) < 5 * (p * (1 - p) / 1e6) ** 0.5 + 1e-5
    assert set(np.unique(found.numpy())) == {np.float32(0), np.float32(1 / (1 - p))}


def test_what_is_dropped_is_independent_from_place_to_place():
    """Neighbours, places of one draw, and rows: no more often dropped together than by chance."""
    found = (drawn((1000, 1000), 0.5) == 0).double() - 0.5
    for shift in (1, 2, 3, 4, 8, 1000):
        flat = found.flatten()
        assert abs(float((flat[shift:] * flat[:-shift]).mean())) < 4 * 0.25 / 1000


@given(size=st.integers(0, 70), p=st.sampled_from([0.0, 0.1, 0.5]), seed=st.integers(0, 99))
@settings(deadline=None)
def test_the_gradient_is_dropped_where_the_value_was(size, p, seed):
    values = torch.linspace(1, 2, size).requires_grad_()
    torch.manual_seed(seed)
    found = dropped(values, p)
    assert torch.equal(found == 0, found.detach() == 0)
    (gradient,) = torch.autograd.grad(found.sum(), values)
    torch.testing.assert_close(gradient * values.detach(), found.detach())


def test_chance_is_torchs_and_does_not_depend_on_threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(dropout, "PART", 16)
    try:
        torch.set_num_threads(1)
        one, other = drawn((37, 11), 0.3), drawn((37, 11), 0.3, seed=2)
        torch.set_num_threads(3)
        assert torch.equal(one, drawn((37, 11), 0.3))
    finally:
        torch.set_num_threads(before)
    assert not torch.equal(one, other)
    torch.manual_seed(1)
    first, second = dropped(torch.ones(400), 0.3), dropped(torch.ones(400), 0.3)
    assert not torch.equal(first, second)


def test_rows_that_are_not_contiguous_come_back_in_their_places():
    torch.manual_seed(1)
    straight = dropped(torch.ones(30, 20), 0.3)
    torch.manual_seed(1)
    assert torch.equal(dropped(torch.ones(20, 30).T, 0.3), straight)


def test_nothing_is_dropped_but_in_training():
    module = Dropout(0.5)
    hidden = torch.ones(100)
    assert torch.equal(module.eval()(hidden), hidden)
    assert not torch.equal(module.train()(hidden), hidden)
    assert torch.equal(Dropout(0.0).train()(hidden), hidden)


def test_halves_are_dropped_by_torch():
    assert set(np.unique(dropped(torch.ones(100, dtype=torch.bfloat16), 0.5).float().numpy())) == {0.0, 2.0}
