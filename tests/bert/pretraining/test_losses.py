import pytest
import torch
import torch.nn.functional as F

from firth.bert.data.packing import IGNORED
from firth.bert.pretraining.losses import cross_entropy


@pytest.mark.parametrize("rows", [1, 16, 37])
@pytest.mark.parametrize("ignored", [False, True])
def test_value_and_gradient_are_those_of_torch(rows, ignored):
    torch.manual_seed(rows)
    hidden, decoder = torch.randn(rows, 8), torch.randn(50, 8).requires_grad_()
    labels = torch.randint(0, 50, (rows,))
    if ignored:
        labels[::3] = IGNORED
    found, expected = (
        value(F.linear(hidden, 4 * decoder), labels)
        for value in (cross_entropy, lambda x, y: F.cross_entropy(x.double(), y, ignore_index=IGNORED, reduction="sum"))
    )
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)
    (ours,), (theirs,) = (torch.autograd.grad(loss * 0.25, decoder) for loss in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_large_logits_do_not_overflow():
    logits = (1e4 * torch.eye(3)).requires_grad_()
    loss = cross_entropy(logits * 1.0, torch.tensor([0, 0, 2]))
    assert loss.item() == 1e4
    (gradient,) = torch.autograd.grad(loss, logits)
    assert torch.isfinite(gradient).all()


def test_a_logit_that_is_not_a_number_is_not_hidden():
    logits = torch.tensor([[0.0, torch.nan]])
    assert torch.isnan(cross_entropy(logits, torch.tensor([0])))


def test_bf16_logits_are_summed_in_float32():
    logits, labels = torch.randn(5, 9), torch.arange(5)
    found = cross_entropy(logits.bfloat16(), labels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, F.cross_entropy(logits, labels, reduction="sum"), rtol=2e-2, atol=0)
