"""Fine-tuning epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from usage_examples import bert, draw, examples_of

from firth.bert.dropout import Dropout
from firth.config.usages import Finetuning
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Reading
from firth.tasks.learning.divergence import DivergedError
from firth.tasks.learning.finetune import Finetuned, finetune
from firth.tasks.learning.heads import Targets, new_head
from firth.tasks.usages.problems import problem_of

SETTINGS = Finetuning(learning_rate=3e-3, epochs=3, batch=16)


@pytest.fixture
def encoder() -> BertEncoder:
    return BertEncoder(bert())


def readings(folder: Path, encoder: BertEncoder, kind: str = "text") -> tuple[Reading, Targets, Reading]:
    examples = examples_of(folder, kind, draw(kind, 60, 1), draw(kind, 30, 2))
    problem = problem_of(examples)
    train = problem.read(encoder, examples.train)
    return train, problem.targets(train), problem.read(encoder, examples.dev)


def test_what_looks_at_an_epoch_changes_nothing(tmp_path: Path, encoder: BertEncoder) -> None:
    train, targets, dev = readings(tmp_path, encoder)
    looks = []

    def look(finetuned: Finetuned, epoch: int) -> bool:
        assert not finetuned.model.training
        looks.append((epoch, finetuned.logits(dev)))
        torch.rand(7)
        return False

    watched = finetune(encoder, train, targets, SETTINGS, 1, look)
    alone = finetune(encoder, train, targets, SETTINGS, 1)
    assert [epoch for epoch, _ in looks] == [1, 2, 3]
    assert np.array_equal(watched.logits(dev), alone.logits(dev))
    assert np.array_equal(looks[-1][1], alone.logits(dev))
    assert not np.array_equal(looks[0][1], looks[1][1])


def test_true_ends_the_training(tmp_path: Path, encoder: BertEncoder) -> None:
    train, targets, dev = readings(tmp_path, encoder)
    seen = []

    def look(finetuned: Finetuned, epoch: int) -> bool:
        seen.append(finetuned.logits(dev))
        return epoch == 2

    ended = finetune(encoder, train, targets, SETTINGS, 1, look)
    assert len(seen) == 2
    assert np.array_equal(ended.logits(dev), seen[-1])
    assert not ended.model.training


@pytest.mark.parametrize("kind", ["text", "pair", "span", "tagging", "number", "choice"])
@pytest.mark.parametrize(("pooling", "layers"), [("mean", "last"), ("cls", "sum4"), ("mean", "concat4")])
def test_without_padding_losses_and_gradients_are_the_same(tmp_path: Path, kind: str, pooling, layers) -> None:
    encoder = BertEncoder(bert(layers=4), pooling, layers)
    train, targets, _ = readings(tmp_path, encoder, kind)
    batch = targets.usable[:20].tolist()
    assert len({len(str(train.inputs[number])) for number in batch}) > 1, "of one length nothing would be told apart"
    model = encoder.bert.model.encoder.train()
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = 0.0
    for layer in model.layers:
        layer.attention.dropout = 0.0
    head = new_head(encoder.width, targets.columns, torch.Generator().manual_seed(1))
    parameters = {**dict(model.named_parameters()), **dict(head.named_parameters(prefix="head"))}

    def gradients(packed: bool) -> tuple[float, dict[str, torch.Tensor]]:
        rows = encoder.forward(model, [train.inputs[number] for number in batch], packed)
        loss = targets.loss(head(rows), batch, train)
        return loss.item(), dict(zip(parameters, torch.autograd.grad(loss, parameters.values()), strict=True))

    loss, found = gradients(packed=True)
    expected_loss, expected = gradients(packed=False)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-6, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize("kind", ["pair", "tagging"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, encoder: BertEncoder, kind: str) -> None:
    train, targets, _ = readings(tmp_path, encoder, kind)
    first, again, other = (finetune(encoder, train, targets, SETTINGS, seed) for seed in (1, 1, 2))
    for one, same, different in zip(*(tuned.model.parameters() for tuned in (first, again, other)), strict=True):
        assert torch.equal(one, same)
        if one.dim() > 1:
            assert not torch.equal(one, different)
    assert torch.equal(first.head.weight, again.head.weight)


@pytest.mark.parametrize("first", [1, 4])
def test_a_gradient_that_is_no_number_ends_a_training_before_it_spoils_the_weights(
    tmp_path: Path, encoder: BertEncoder, first: int
) -> None:
    """The loss would say so at the next step only; after the last one there would be a model of nothing."""
    train, targets, _ = readings(tmp_path, encoder)

    class Steep:
        columns, usable = targets.columns, targets.usable
        steps = 0

        def loss(self, logits: torch.Tensor, batch: Sequence[int], reading: Reading) -> torch.Tensor:
            self.steps += 1
            zero = logits.sum() * 0.0
            return targets.loss(logits, batch, reading) + (zero.sqrt() if self.steps == first else zero)

    assert len(targets.usable) == 60, "four steps an epoch"
    settings = SETTINGS.model_copy(update={"epochs": 1})
    with pytest.raises(
        DivergedError, match=rf"diverged at step {first}: the gradient's norm is nan; lower a\.rate"
    ) as raised:
        finetune(encoder, train, Steep(), settings, 1, None, "a.rate")
    assert raised.value.step == first
