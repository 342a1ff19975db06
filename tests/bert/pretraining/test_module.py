"""One update: what it learns from, when it is left out, when the training stops."""

import re

import numpy as np
import pytest
import torch
from fable_training import unwatched, weights
from fables import small_training

from firth.bert.data.plan import Cursor
from firth.bert.data.steps import Steps
from firth.bert.data.text import Text
from firth.bert.pretraining import module as lightning_module
from firth.bert.pretraining.train import pretrain
from firth.config.bert import Optimizer
from firth.errors import FirthError


def test_a_spikes_update_is_left_out(store, settings, tmp_path, monkeypatch, capfd):
    """Weights and moments are as if the step had not been, and the count is told."""
    kept, inner = [], lightning_module.clip

    def spiky(model, largest):
        norm = inner(model, largest)
        kept.append([parameter.detach().clone() for parameter in model.parameters()])
        return norm * 1e4 if len(kept) == 23 else norm

    monkeypatch.setattr(lightning_module, "clip", spiky)
    optimizer = Optimizer(learning_rate=2e-3, warmup_steps=4, skip_spikes=50.0)
    told = {}
    changed = settings.model_copy(update={"steps": 25, "optimizer": optimizer})
    trained = pretrain(store, changed, tmp_path, lambda step, metrics: told.update({step: metrics}))
    assert all(map(torch.equal, kept[22], kept[23]))
    assert not any(map(torch.equal, kept[23][:4], kept[24][:4]))
    assert [row["skipped_updates"] for row in trained.history] == [0, 0, 0, 0, 1, 1]
    assert told[25]["train/skipped_updates"] == trained.metrics["train/skipped_updates"] == 1
    err = capfd.readouterr().err
    assert err.count("this update is left out") == 1
    assert "of the last 22 steps" in err


def recorded_gradients(store, settings, folder, monkeypatch):
    """The gradient of the first step, and its norm before it is clipped."""
    found = {}

    def record(model, largest):
        norm = lightning_module_clip(model, largest)
        found.setdefault("norm", float(norm))
        if "gradients" not in found:
            found["gradients"] = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        return norm

    lightning_module_clip = lightning_module.clip
    monkeypatch.setattr(lightning_module, "clip", record)
    pretrain(store, settings, folder, unwatched)
    monkeypatch.undo()
    return found


def test_micro_batches_amount_to_the_whole_batch(store, tmp_path, monkeypatch):
    """Rows and predictions are unequal among micro batches; the gradient is that of the mean over all of them."""
    one = small_training(dropout=0.0, steps=1, batch=12, optimizer=Optimizer(learning_rate=1e-3, warmup_steps=0))
    whole = recorded_gradients(store, one, tmp_path / "whole", monkeypatch)
    for size in (1, 4):
        parts = recorded_gradients(
            store, one.model_copy(update={"micro_batch": size}), tmp_path / str(size), monkeypatch
        )
        for name, gradient in whole["gradients"].items():
            torch.testing.assert_close(parts["gradients"][name], gradient, atol=2e-6, rtol=1e-3)
        assert parts["norm"] == pytest.approx(whole["norm"], rel=1e-4)


def test_gradients_are_clipped(store, tmp_path, monkeypatch):
    def norm_after(clip):
        optimizer = Optimizer(learning_rate=1e-3, warmup_steps=0, clip=clip)
        found = recorded_gradients(
            store, small_training(steps=1, optimizer=optimizer), tmp_path / str(clip), monkeypatch
        )
        return found["norm"], float(torch.stack([g.square().sum() for g in found["gradients"].values()]).sum().sqrt())

    before, after = norm_after(0.0)
    assert after == pytest.approx(before, rel=1e-4)
    assert before > 0.2
    before, after = norm_after(0.1)
    assert after == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("broken", ["loss", "gradient"])
def test_a_diverged_training_stops_and_keeps_the_last_good_checkpoint(store, settings, tmp_path, monkeypatch, broken):
    inner, steps = lightning_module.BertModule.losses, []

    def poisoned(self, batch):
        steps.append(batch)
        mlm, nsp = inner(self, batch)
        if len(steps) < 7:  # two micro batches a step
            return mlm, nsp
        if broken == "loss":
            return mlm * torch.nan, nsp
        return mlm + 0 * torch.sqrt(mlm - mlm.detach()), nsp  # finite, with an infinite gradient times 0

    monkeypatch.setattr(lightning_module.BertModule, "losses", poisoned)
    with pytest.raises(FirthError) as caught:
        pretrain(store, settings, tmp_path, unwatched)
    said = re.fullmatch(
        r"bert: the (.+) is nan at step 4 \(instances (\d+) of epoch (\d) up to, but without, (\d+) of epoch (\d)\)(.*)"
        r"; lower bert\.optimizer\.learning_rate \(0\.002\) or lengthen the warm-up .*; the last checkpoint is kept",
        str(caught.value),
    )
    assert said is not None, caught.value
    where = [Cursor(int(said[3]), int(said[2])), Cursor(int(said[5]), int(said[4]))]
    assert said[1].startswith(broken)
    assert said[6] == (", in micro batch 1" if broken == "loss" else "")
    # The very instances, as the settings give them.
    cursor, steps = Cursor(), Steps(Text.of(store.train), store.tokenizer, settings)
    for number in range(3):
        cursor = steps.at(number, cursor).after
    assert where == [cursor, steps.at(3, cursor).after]
    assert max(path.name for path in (tmp_path / "checkpoints").iterdir()) == "step-000000000003"


def test_bf16_trains_and_keeps_float32_weights(store, tmp_path):
    trained = pretrain(store, small_training(precision="bf16", steps=6), tmp_path, unwatched)
    assert np.isfinite(trained.metrics["train/mlm_loss"])
    assert {array.dtype for array in weights(trained).values()} == {np.dtype(np.float32)}
