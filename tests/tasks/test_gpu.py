"""A BERT read and fine-tuned on a device and in a precision: on a GPU, and on the CPU by the same way.

`bench/gpu.sh` runs this file with nothing but what a training needs: it takes no fixtures from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from usage_examples import bert, draw, examples_of

from firth.bert.attention import Packed
from firth.bert.dropout import Dropout
from firth.bert.pretraining.device import Device
from firth.config.usages import BiLSTM, Evaluation, Finetuning
from firth.errors import ConfigError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.device import device_of
from firth.tasks.encoders.reading import Reading
from firth.tasks.encoders.sequences import in_rows, one_behind_the_other
from firth.tasks.encoders.sources import Source
from firth.tasks.evaluation.cells import bert_identity
from firth.tasks.evaluation.score import score_task
from firth.tasks.learning import tokens
from firth.tasks.learning.finetune import finetune
from firth.tasks.learning.heads import Targets, new_head
from firth.tasks.usages.problems import problem_of

Kind = Literal["cpu", "cuda"]
Precision = Literal["fp32", "bf16"]
KINDS = ["text", "pair", "span", "tagging", "number", "choice"]
SETTINGS = Finetuning(learning_rate=3e-3, epochs=3, batch=16)

on_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU here"),
]
devices = pytest.mark.parametrize("kind", ["cpu", pytest.param("cuda", marks=on_gpu)])
precisions = pytest.mark.parametrize("precision", ["fp32", "bf16"])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def readings(folder: Path, encoder: BertEncoder, task: str) -> tuple[Reading, Targets, Reading]:
    examples = examples_of(folder, task, draw(task, 60, 1), draw(task, 30, 2))
    problem = problem_of(examples)
    train = problem.read(encoder, examples.train)
    return train, problem.targets(train), problem.read(encoder, examples.dev)


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_goes_to_a_device_whole(packed: bool) -> None:
    inputs = list(BertEncoder(bert()).texts(["A film .", "The story is truly warm ."], 16).inputs)
    batch = (one_behind_the_other(inputs) if packed else in_rows(inputs, 0)).to("meta")
    layout = batch.layout
    inside = [layout.offsets, layout.positions, layout.grid] if isinstance(layout, Packed) else [layout]
    there = [batch.ids, batch.segments, batch.starts, batch.lengths, *inside]
    assert [str(part.device) for part in there if part is not None] == ["meta"] * len(there)


@devices
@precisions
@pytest.mark.parametrize("task", KINDS)
def test_losses_and_gradients_are_those_of_the_cpu_in_float32(
    tmp_path: Path, kind: Kind, precision: Precision, task: str
) -> None:
    """In bf16 each number may be off by some of its 8 bits, but the gradient points the same way."""

    def learned(device: Device) -> tuple[float, torch.Tensor]:
        encoder = BertEncoder(bert(), device=device)
        train, targets, _ = readings(tmp_path / device.kind, encoder, task)
        batch = targets.usable[:20].tolist()
        model = encoder.bert.model.encoder.train()
        for module in model.modules():
            if isinstance(module, Dropout):
                module.p = 0.0
        for layer in model.layers:
            layer.attention.dropout = 0.0
        head = new_head(encoder.width, targets.columns, torch.Generator().manual_seed(1)).to(device.kind)
        rows = encoder.forward(model, [train.inputs[number] for number in batch], packed=True)
        loss = targets.loss(head(rows), batch, train)
        assert rows.dtype == loss.dtype == torch.float32
        gradients = torch.autograd.grad(loss, [*model.parameters(), *head.parameters()])
        return loss.item(), torch.cat([gradient.double().cpu().flatten() for gradient in gradients])

    loss, gradient = learned(Device(kind, precision))
    expected, direction = learned(Device("cpu", "fp32"))
    assert loss == pytest.approx(expected, rel=1e-4 if precision == "fp32" else 2e-2)
    alike = torch.nn.functional.cosine_similarity(gradient, direction, dim=0)
    assert alike > (1 - 1e-6 if precision == "fp32" else 0.99)
    if kind == "cpu":
        assert torch.equal(gradient, direction) == (precision == "fp32")


@devices
@precisions
def test_a_fine_tuning_learns_and_leaves_the_encoder_and_the_gpus_chance_as_they_were(
    tmp_path: Path, kind: Kind, precision: Precision
) -> None:
    encoder = BertEncoder(bert(), device=Device(kind, precision))
    train, targets, dev = readings(tmp_path, encoder, "text")
    before, identity = chance(kind), bert_identity(encoder)
    tuned = finetune(encoder, train, targets, SETTINGS, 1)
    assert torch.equal(chance(kind), before)
    assert bert_identity(encoder) == identity
    found = {parameter.device.type for parameter in [*tuned.model.parameters(), *tuned.head.parameters()]}
    assert found == {kind}
    own = BertEncoder(bert())
    expected = finetune(own, train, targets, SETTINGS, 1).logits(dev)
    logits = tuned.logits(dev)
    assert logits.dtype == np.float32
    assert np.mean(logits.argmax(axis=1) == expected.argmax(axis=1)) > 0.9, "both learn what there is to learn"
    if kind == "cpu":
        assert np.array_equal(logits, expected) == (precision == "fp32")


def chance(kind: Kind) -> torch.Tensor:
    """The state of the GPU's generator; there is nothing to compare on a CPU, whose own a new head draws from."""
    return torch.cuda.get_rng_state() if kind == "cuda" else torch.zeros(0)


@devices
@precisions
@pytest.mark.parametrize("kept", [True, False])
def test_frozen_encoders_are_read_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, precision: Precision, kept: bool
) -> None:
    """Under both heads; what the BiLSTM reads is kept for all epochs, or read again and again."""
    if not kept:
        monkeypatch.setattr(tokens, "MOST_KEPT", 0)
        standard = tokens.Moments(torch.zeros(32), torch.ones(32))
        monkeypatch.setattr(tokens.ContextualTokens, "_moments", lambda _: standard)
    drawn = examples_of(tmp_path, "tagging", draw("tagging", 60, 1), draw("tagging", 30, 2))
    asked: dict[str, Any] = {"seeds": [1], "bootstrap": 100, "threads": 2}
    both: dict[str, Any] = {"heads": ["linear", "bilstm"], "bilstm": BiLSTM(hidden=8, epochs=2)}
    settings = Evaluation(accelerator=kind, precision=precision, **both, **asked)
    source = Source("there", lambda: BertEncoder(bert(), device=device_of(settings)))
    results = score_task(drawn, {"there": source}, settings).results
    assert (results["settings"]["accelerator"], results["settings"]["precision"]) == (kind, precision)
    here = score_task(drawn, {"here": Source("here", lambda: BertEncoder(bert()))}, Evaluation(**asked)).results
    assert results["systems"][0]["score"] == pytest.approx(here["systems"][0]["score"], abs=0.1)
    encoder, own = BertEncoder(bert(), device=device_of(settings)), BertEncoder(bert())
    reading = problem_of(drawn).read(own, drawn.dev)
    found, expected = encoder.features(reading), own.features(reading)
    np.testing.assert_allclose(found, expected, atol=1e-4 if precision == "fp32" else 0.1)
    if kind == "cpu":
        assert np.array_equal(found, expected) == (precision == "fp32")


@devices
@precisions
def test_another_device_or_precision_is_another_training(kind: Kind, precision: Precision) -> None:
    others = [bert_identity(BertEncoder(bert())), bert_identity(BertEncoder(bert(), device=Device(kind, precision)))]
    assert (others[0] == others[1]) == ((kind, precision) == ("cpu", "fp32"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_cuda_is_refused_and_auto_is_the_cpu(tmp_path: Path) -> None:
    drawn = examples_of(tmp_path, "text", draw("text", 40, 1), draw("text", 20, 2))
    source = Source("a model", lambda: pytest.fail("read in vain"))
    with pytest.raises(ConfigError, match=r"^evaluation\.accelerator is cuda, but torch finds no CUDA device"):
        score_task(drawn, {"model": source}, Evaluation(accelerator="cuda"))
    auto = Evaluation(accelerator="auto", seeds=[1], bootstrap=100, threads=1)
    assert device_of(auto) == Device("cpu", "fp32")
    model = Source("a model", lambda: BertEncoder(bert()))
    assert score_task(drawn, {"model": model}, auto).results["settings"]["accelerator"] == "cpu"
