import numpy as np
import pytest
import torch
from torch import nn

from firth.bert.architecture import Architecture
from firth.bert.model import Pretraining, initialise
from firth.bert.optimizers import muon
from firth.bert.optimizers.lamb import Lamb
from firth.bert.optimizers.muon import COEFFICIENTS, Muon, orthogonal
from firth.bert.optimizers.optimizer import make_optimizer, moments, restore, set_rate
from firth.config.bert import Optimizer

NAMES = ("adamw", "lamb", "muon")


@pytest.fixture
def model():
    model = Pretraining(Architecture.of("tiny", 50, 16))
    initialise(model, 1)
    return model


def drawn(parameters, steps, seed=3):
    """Gradients of so many steps."""
    generator, shapes = torch.Generator().manual_seed(seed), [p.shape for p in parameters]
    return [[torch.randn(shape, generator=generator) for shape in shapes] for _ in range(steps)]


def update(parameters, optimizer, gradients):
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = None if gradient is None else gradient.clone()
    optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_matrices_decay_and_biases_and_layernorm_do_not(model, name):
    optimizer = make_optimizer(model, Optimizer(name=name, learning_rate=0.5, weight_decay=0.1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    set_rate(optimizer, 0.01)
    optimizer.step()
    decay = 0.01 if name == "lamb" else 0.01 * 0.1  # LAMB's update, here the decay alone, is as long as the weights
    for parameter_name, parameter in model.named_parameters():
        kept = parameter_name.endswith("bias") or "norm" in parameter_name
        torch.testing.assert_close(parameter, torch.full_like(parameter, 1.0 if kept else 1.0 - decay))
    counted = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(counted) == len(set(map(id, counted)))
    assert sum(p.numel() for p in counted) == sum(p.numel() for p in model.parameters())
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_moments_taken_up_go_on_to_the_same_bits(model, name):
    settings, other = Optimizer(name=name, learning_rate=1e-3), Pretraining(model.architecture)
    gradients = [[*step[:-2], None, None] for step in drawn(model.parameters(), 3)]  # a head that learns nothing
    first = make_optimizer(model, settings)
    update(model.parameters(), first, gradients[0])
    update(model.parameters(), first, gradients[1])
    saved = {name: array.copy() for name, array in moments(model, first)}
    matrices = 6 * 2 if name == "muon" else 0  # one array each, two of every other parameter
    assert len(saved) == 2 * (len(list(model.parameters())) - 2) - matrices
    other.load_state_dict(model.state_dict())
    second = make_optimizer(other, settings)
    restore(other, second, saved, 2)
    update(model.parameters(), first, gradients[2])
    update(other.parameters(), second, gradients[2])
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def lamb_of_the_paper(weights, gradients, rate, beta1, beta2, epsilon, decay, adapted):
    """Algorithm 2 for one layer, with the scaling function φ(z) = z, in float64."""
    x = weights.astype(np.float64)
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t, gradient in enumerate(gradients, 1):
        g = gradient.astype(np.float64)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        r = m_hat / (np.sqrt(v_hat) + epsilon)
        u = r + decay * x
        phi = np.linalg.norm(x)
        ratio = phi / np.linalg.norm(u) if adapted and phi > 0 and np.linalg.norm(u) > 0 else 1.0
        x = x - rate * ratio * u
    return x


def test_lamb_is_the_papers():
    generator = torch.Generator().manual_seed(5)
    first = {name: torch.randn(shape, generator=generator) for name, shape in
             {"matrix": (6, 4), "other": (3, 7), "vector": (5,)}.items()}  # fmt: skip
    first["zero"] = torch.zeros(4, 4)
    parameters = {name: nn.Parameter(tensor.clone()) for name, tensor in first.items()}
    vectors = {"params": [parameters["vector"]], "weight_decay": 0.0, "adapted": False}
    matrices = {"params": [parameters[name] for name in first if name != "vector"]}
    optimizer = Lamb([matrices, vectors], rate=0.02, betas=(0.8, 0.95), epsilon=1e-4, weight_decay=0.1)
    gradients = drawn(parameters.values(), 7)
    for step in gradients:
        update(parameters.values(), optimizer, step)
    for number, (name, weights) in enumerate(first.items()):
        own = [step[number].numpy() for step in gradients]
        adapted = name != "vector"
        wanted = lamb_of_the_paper(weights.numpy(), own, 0.02, 0.8, 0.95, 1e-4, 0.1 if adapted else 0.0, adapted)
        np.testing.assert_allclose(parameters[name].detach().numpy(), wanted, rtol=2e-5, atol=2e-6)


def test_lambs_matrices_change_by_the_rate_whatever_their_gradients_size():
    parameters = [nn.Parameter(torch.full((8, 8), size)) for size in (1.0, 1e-3)]
    before = [p.detach().clone() for p in parameters]
    optimizer = Lamb([{"params": parameters}], rate=0.01, weight_decay=0.0)
    update(parameters, optimizer, [gradient * 1e-5 for gradient in drawn(parameters, 1)[0]])
    for parameter, old in zip(parameters, before, strict=True):
        assert float((parameter.detach() - old).norm() / old.norm()) == pytest.approx(0.01, rel=1e-3)


def test_muon_is_torchs(monkeypatch):
    """The matrices against `torch.optim.Muon`, the rest against `torch.optim.AdamW`."""
    monkeypatch.setattr(muon, "has_bfloat16", lambda: True)  # as theirs, on any CPU
    generator = torch.Generator().manual_seed(5)
    first = [torch.randn(shape, generator=generator) * 0.02 for shape in [(16, 16), (16, 16), (48, 16), (16, 48), (9,)]]
    ours, theirs = ([nn.Parameter(tensor.clone()) for tensor in first] for _ in range(2))
    adamw = {"lr": 0.02, "weight_decay": 0.1}
    optimizer = Muon(ours[:-1], torch.optim.AdamW(ours[-1:], **adamw), 0.02, 0.1)
    references = [
        torch.optim.Muon(theirs[:-1], lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(theirs[-1:], **adamw),
    ]
    for gradients in drawn(ours, 4):
        update(ours, optimizer, gradients)
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient.clone()
        for reference in references:
            reference.step()
    for own, reference, start in zip(ours, theirs, first, strict=True):
        far = float((reference.detach() - start).abs().max())
        torch.testing.assert_close(own, reference, atol=0.02 * far, rtol=0.0)  # products in bfloat16
    assert torch.equal(ours[-1], theirs[-1])


@pytest.mark.parametrize("shape", [(1, 20, 20), (3, 30, 20), (2, 20, 30)])
@pytest.mark.parametrize("bfloat16", [True, False])
def test_orthogonal_keeps_directions_and_evens_out_singular_values(shape, bfloat16, monkeypatch):
    monkeypatch.setattr(muon, "has_bfloat16", lambda: bfloat16)
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = orthogonal(matrices).float()
    assert found.shape == matrices.shape
    for number in range(shape[0]):
        u, s, v = np.linalg.svd(matrices[number].double().numpy(), full_matrices=False)
        x = s / np.linalg.norm(s)
        for _ in range(5):
            x = COEFFICIENTS[0] * x + COEFFICIENTS[1] * x**3 + COEFFICIENTS[2] * x**5
        wanted = u * x @ v
        assert np.linalg.norm(found[number].numpy() - wanted) < (0.02 if bfloat16 else 1e-5) * np.linalg.norm(wanted)
    kind = torch.bfloat16 if bfloat16 else torch.float32
    assert torch.equal(orthogonal(torch.zeros(shape)), torch.zeros(shape, dtype=kind))


def test_muon_takes_the_layers_matrices_and_moves_them_as_far_as_adamw_does(model):
    optimizer = make_optimizer(model, Optimizer(name="muon", learning_rate=1e-3, weight_decay=0.0))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    gradients = drawn(model.parameters(), 1)[0]
    update(model.parameters(), optimizer, gradients)
    taken = {name.removeprefix("momentum_buffer.") for name, _ in moments(model, optimizer) if "momentum" in name}
    assert taken == {
        f"encoder.layers.{layer}.{part}.weight" for layer in range(2) for part in (
            "attention.query", "attention.key", "attention.value", "attention.output", "intermediate", "output")
    }  # fmt: skip
    for name, parameter in model.named_parameters():
        if name in taken:
            moved = float((parameter.detach() - before[name]).square().mean().sqrt())
            assert moved == pytest.approx(0.2 * 1e-3, rel=0.15), name


@pytest.mark.parametrize("name", NAMES)
def test_one_rate_is_for_all(model, name):
    optimizer = make_optimizer(model, Optimizer(name=name, learning_rate=1e-3))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    set_rate(optimizer, 0.0)
    update(model.parameters(), optimizer, drawn(model.parameters(), 1)[0])
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, old)
