"""What runs on a GPU in other ways than on a CPU: attention, products in bf16, compiled code, dropout, resume.

All but compilation runs on a CPU, too, where that is asked of the code in the same words. `bench/gpu.sh` runs this file
with nothing but what a training needs: it takes no fixtures from elsewhere.
"""

import math

import numpy as np
import pytest
import torch
from fable_training import unwatched, weights
from fables import fable_store, small_training
from killing import Killed
from packed_batches import LENGTH, gradients, rows, without_dropout
from toy_bert import toy_bert

from firth.bert.attention import Packed, attend
from firth.bert.data.packing import Capacity, pack
from firth.bert.dropout import dropped
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.losses import pretraining_losses
from firth.bert.pretraining.train import pretrain
from firth.config.bert import HeldOut, Optimizer
from firth.training.products import has_bfloat16

HEADS, WIDTH = 4, 16
LENGTHS = [7, 64, 1, 33, 0, 15]
BLIND = math.log(112)
"""The loss of blind guesses among the fables' pieces, about."""

on_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU here"),
]
devices = pytest.mark.parametrize("kind", ["cpu", pytest.param("cuda", marks=on_gpu)])
kinds_of_numbers = pytest.mark.parametrize("precision", ["fp32", "bf16"])


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def layout_of(lengths, kind, causal=False):
    bounds = np.cumsum([0, *lengths])
    owner = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.arange(bounds[-1]) - bounds[owner]
    longest = max(lengths)
    return Packed(
        torch.tensor(bounds, dtype=torch.int32, device=kind),
        torch.tensor(positions, device=kind),
        torch.tensor(owner * longest + positions, device=kind),
        longest,
        causal,
    )


def attention_by_the_book(projected, lengths, causal):
    """Each document by itself, in float64: (T, 3 · heads · width) -> (T, heads · width)."""
    found, start = [], 0
    for length in filter(None, lengths):
        part = projected[start : start + length].view(length, 3, HEADS, WIDTH)
        query, key, value = part.permute(1, 2, 0, 3)  # (A, L, D) each
        scores = query @ key.transpose(1, 2) / math.sqrt(WIDTH)
        if causal:
            hidden = torch.ones(length, length, dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(hidden, -math.inf)
        found.append((scores.softmax(-1) @ value).transpose(0, 1).flatten(1))
        start += length
    return torch.cat(found)


@devices
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("kind_of_number", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_packed_attention_is_that_of_each_document_by_itself(kind, causal, kind_of_number, tolerance):
    """Values and gradients; one of the documents is empty, one has a single token."""
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn(sum(LENGTHS), 3 * HEADS * WIDTH, generator=generator).to(kind_of_number)
    pull = torch.randn(sum(LENGTHS), HEADS * WIDTH, generator=generator).to(kind_of_number)
    exact = drawn.double().requires_grad_()
    expected = attention_by_the_book(exact, LENGTHS, causal)
    expected.backward(pull.double())
    projected = drawn.to(kind).requires_grad_()
    found = attend(projected, HEADS, layout_of(LENGTHS, kind, causal), 0.0)
    found.backward(pull.to(kind))
    torch.testing.assert_close(found.detach().double().cpu(), expected.detach(), rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(projected.grad.double().cpu(), exact.grad, rtol=tolerance, atol=tolerance)


def toy(kind):
    model = toy_bert(layers=2, positions=LENGTH, scale=3.0).model.train()
    without_dropout(model)
    return model.to(kind)


def loss_and_gradients(model, forward, batch, device):
    """Of a packed batch, both tasks summed."""
    with device.autocast():
        logits = forward(batch.ids, batch.segments, batch.layout, batch.predicted)
    loss = sum(pretraining_losses(logits, batch))
    found = float(loss.detach())
    return found, {name: gradient.double().cpu() for name, gradient in gradients(model, loss).items()}


def alike(found, expected, precision, rtol=1e-4):
    """In bf16 each number may be off by some of its 8 bits, but gradients point the same way."""
    (loss, parts), (wanted, others) = found, expected
    assert loss == pytest.approx(wanted, rel=rtol if precision == "fp32" else 2e-2)
    whole, other = (torch.cat([g.flatten() for g in side.values()]) for side in (parts, others))
    assert torch.isfinite(whole).all()
    assert torch.nn.functional.cosine_similarity(whole, other, dim=0) > (1 - 1e-6 if precision == "fp32" else 0.99)
    if precision == "fp32":
        for name, gradient in parts.items():
            torch.testing.assert_close(gradient, others[name], rtol=1e-3, atol=1e-4, msg=name)


@devices
@kinds_of_numbers
@pytest.mark.parametrize("capacity", [None, Capacity(64, 9, 24, LENGTH)])
def test_packed_has_the_losses_and_gradients_of_padded_rows(kind, precision, capacity):
    """Padded rows on a CPU in float32, by the model's other way through, are the measure."""
    padded = rows([12, 7, 3, 8], [3, 2, 1, 2])
    model = toy("cpu")
    logits = model(padded.ids, padded.segments, padded.mask, padded.predicted)
    loss = torch.nn.functional.cross_entropy(logits.mlm, padded.masked_lm_labels, reduction="sum")
    loss = loss + torch.nn.functional.cross_entropy(logits.nsp, padded.next_sentence_labels, reduction="sum")
    expected = float(loss.detach()), {n: g.double() for n, g in gradients(model, loss).items()}
    model, batch = toy(kind), pack(padded, capacity).to(kind)
    alike(loss_and_gradients(model, model.packed, batch, Device(kind, precision)), expected, precision)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU here")
@kinds_of_numbers
def test_compiled_code_has_the_losses_and_gradients_of_the_plain_one(precision):
    """And is compiled once for all batches of one capacity."""
    compiled_has_what_plain_has("cuda", precision)


def compiled_has_what_plain_has(kind, precision):
    capacity, device = Capacity(64, 14, 24, LENGTH), Device(kind, precision)
    model = toy(kind)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(model.packed)
    for seed, lengths in enumerate(([12, 7, 3, 8], [12, 12, 12], [5], [3] * 8)):
        batch = pack(rows(lengths, [max(1, length // 4) for length in lengths], seed), capacity).to(kind)
        plain = loss_and_gradients(model, model.packed, batch, device)
        alike(loss_and_gradients(model, compiled, batch, device), plain, precision, rtol=1e-3)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert not torch._dynamo.utils.counters["graph_break"]


@devices
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_meets_its_share_and_keeps_the_mean(kind, p):
    torch.manual_seed(1)
    values = torch.ones(1_000_000, device=kind, requires_grad=True)
    found = dropped(values, p)
    share = float((found == 0).double().mean())
    assert abs(share - p) < 5 * (p * (1 - p) / 1e6) ** 0.5 + 1e-5
    (gradient,) = torch.autograd.grad(found.sum(), values)
    assert torch.equal(gradient, found.detach())  # of ones: what was dropped learns nothing
    apart = (found.detach() == 0).double() - p
    for shift in (1, 4, 1000):
        assert abs(float((apart[shift:] * apart[:-shift]).mean())) < 5 * p * (1 - p) / 1000


@devices
@pytest.mark.parametrize("kind_of_number", [torch.float32, torch.bfloat16])
def test_attention_drops_weights_and_keeps_the_mean(kind, kind_of_number):
    """Equal scores and values of one: an output is the share of weights that are left, over 1 - p."""
    p, length = 0.2, 64
    projected = torch.zeros(length * 32, 3, HEADS, WIDTH, device=kind, dtype=kind_of_number)
    projected[:, 2] = 1.0
    torch.manual_seed(1)
    found = attend(projected.flatten(1), HEADS, layout_of([length] * 32, kind), p)
    each = found.float().view(-1, HEADS, WIDTH)[:, :, 0]  # (tokens, heads): one draw of 64 weights each
    count = each.numel()
    deviation = math.sqrt(p / (1 - p) / length)
    assert float(each.mean()) == pytest.approx(1.0, abs=5 * deviation / math.sqrt(count) + 2e-3)
    assert float(each.std()) == pytest.approx(deviation, rel=0.1)


def training(kind, **changes):
    settings = {"accelerator": kind, "micro_batch": 4, "heldout": HeldOut(every=8, instances=16), "steps": 20}
    return small_training(**{**settings, **changes})


def few(kind, precision, steps, fewer):
    """How many steps there is time for: a CPU without instructions for bfloat16 takes twenty times as long a step."""
    return fewer if kind == "cpu" and precision == "bf16" and not has_bfloat16() else steps


def furthest(one, other):
    """The largest difference of two trainings' weights."""
    first, second = weights(one), weights(other)
    return max(float(np.abs(array - second[name]).max()) for name, array in first.items())


@pytest.mark.slow
@devices
@kinds_of_numbers
def test_resumed_is_as_like_an_unbroken_training_as_another_unbroken_one(kind, precision, tmp_path):
    """To the bit wherever two unbroken ones are: always on a CPU. Some sums on GPUs have no fixed order."""
    steps = few(kind, precision, 20, 6)
    store = fable_store(tmp_path / "pieces")
    settings = training(kind, precision=precision, steps=steps, heldout=HeldOut(every=steps // 2, instances=16))
    calls = []

    def killer(step, _metrics):
        calls.append(step)
        if len(calls) == 2:
            raise Killed

    first, second = (pretrain(store, settings, tmp_path / name, unwatched) for name in ("first", "second"))
    with pytest.raises(Killed):
        pretrain(store, settings, tmp_path / "broken", killer)
    resumed = pretrain(store, settings, tmp_path / "broken", unwatched)
    apart, chance = furthest(resumed, first), furthest(second, first)
    print(f"{kind} {precision}: resumed {apart:.1e} from unbroken, another unbroken one {chance:.1e}")
    assert chance == 0 or kind == "cuda"
    assert apart <= (10 * chance + 1e-5) * (kind == "cuda")  # a step moves weights by 2e-3
    assert resumed.steps == first.steps == steps


@pytest.mark.slow
@devices
def test_a_training_learns_packed_and_in_bf16(kind, tmp_path):
    """On a GPU compiled as well: the whole way that `--preset base` goes."""
    settings = training(
        kind, precision="bf16", packing=True, compile=kind == "cuda", micro_batch=8, steps=few(kind, "bf16", 60, 20),
        optimizer=Optimizer(learning_rate=3e-3, warmup_steps=6),
    )  # fmt: skip
    trained = pretrain(fable_store(tmp_path / "pieces"), settings, tmp_path / "run", unwatched)
    assert trained.history[-1]["mlm_loss"] < trained.history[0]["mlm_loss"] - 0.3
    assert trained.history[-1]["mlm_loss"] < BLIND
