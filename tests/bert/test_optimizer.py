import pytest
import torch

from firth.bert.architecture import Architecture
from firth.bert.model import Pretraining, initialise
from firth.bert.optimizer import adamw, moments, restore, set_rate
from firth.config.bert import Optimizer


@pytest.fixture
def model():
    model = Pretraining(Architecture.of("tiny", 50, 16))
    initialise(model, 1)
    return model


def test_matrices_decay_and_biases_and_layernorm_do_not(model):
    optimizer = adamw(model, Optimizer(learning_rate=0.5, weight_decay=0.1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    set_rate(optimizer, 0.01)
    optimizer.step()
    for name, parameter in model.named_parameters():
        kept = name.endswith("bias") or "norm" in name
        torch.testing.assert_close(parameter, torch.full_like(parameter, 1.0 if kept else 1.0 - 0.01 * 0.1))
    counted = sum(p.numel() for group in optimizer.param_groups for p in group["params"])
    assert counted == sum(p.numel() for p in model.parameters())


def test_moments_taken_up_go_on_to_the_same_bits(model):
    settings, other = Optimizer(learning_rate=1e-3), Pretraining(model.architecture)
    generator = torch.Generator().manual_seed(3)

    def update(which, optimizer, gradients):
        for parameter, gradient in zip(which.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()

    drawn = [[torch.randn(p.shape, generator=generator) for p in model.parameters()] for _ in range(3)]
    drawn = [[*gradients[:-2], None, None] for gradients in drawn]  # a head that nothing is learned from
    first = adamw(model, settings)
    update(model, first, drawn[0])
    update(model, first, drawn[1])
    saved = dict(moments(model, first))
    assert len(saved) == 2 * (len(list(model.parameters())) - 2)
    other.load_state_dict(model.state_dict())
    second = adamw(other, settings)
    restore(other, second, saved, 2)
    update(model, first, drawn[2])
    update(other, second, drawn[2])
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)
