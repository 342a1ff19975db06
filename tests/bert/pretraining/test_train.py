"""A training from beginning to end, on a small real text."""

import threading

import fables
import numpy as np
import pytest
import torch
from fable_training import unwatched
from fables import fable_store, small_training

from firth.bert.model import Pretraining
from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.train import pretrain
from firth.config.bert import HeldOut, Masking, Optimizer
from firth.errors import ConfigError, DataError


def test_golden_losses(unbroken):
    """Of the first 20 steps on the fables; they change with the model, the instances and the optimizer only."""
    found = [(row["step"], row["mlm_loss"], row["nsp_loss"]) for row in unbroken.history]
    assert [step for step, _, _ in found] == [8, 10, 16, 20]
    np.testing.assert_allclose([mlm for _, mlm, _ in found], GOLDEN_MLM, atol=2e-3)
    np.testing.assert_allclose([nsp for _, _, nsp in found], GOLDEN_NSP, atol=2e-3)
    looks = [row["heldout"] for row in unbroken.history if "heldout" in row]
    np.testing.assert_allclose([look["mlm_loss"] for look in looks], GOLDEN_HELDOUT, atol=2e-3)


GOLDEN_MLM = [4.9396, 4.5493, 4.5303, 4.5910]
GOLDEN_NSP = [0.7055, 0.7303, 0.7157, 0.6892]
GOLDEN_HELDOUT = [5.0449, 5.0862, 5.0919]


def test_the_curve_says_where_it_is(unbroken):
    history = unbroken.history
    assert unbroken.steps == 20
    assert history[-1]["tokens"] == unbroken.tokens
    assert [row["tokens"] for row in history] == sorted(row["tokens"] for row in history)
    assert [row["step"] for row in history if "heldout" in row] == [8, 16, 20]
    assert set(history[1]) == {"step", "tokens", "learning_rate", "mlm_loss", "nsp_loss"}
    assert set(history[-1]["heldout"]) == {
        "mlm_loss", "mlm_accuracy", "nsp_loss", "nsp_accuracy", "nsp_majority", "unigram_loss", "predictions",
        "instances",
    }  # fmt: skip
    look = history[-1]["heldout"]
    assert unbroken.metrics == {
        "train/mlm_loss": history[-1]["mlm_loss"],
        "train/nsp_loss": history[-1]["nsp_loss"],
        "heldout/mlm_gain": look["unigram_loss"] - look["mlm_loss"],
        **{f"heldout/{name}": look[name] for name in look if name not in ("predictions", "instances", "nsp_majority")},
    }
    assert history[-1]["mlm_loss"] < history[0]["mlm_loss"]
    assert not unbroken.bert.model.training
    assert unbroken.bert.heads == {"pooler": "trained", "mlm": "trained", "nsp": "trained"}


def test_masked_words_of_a_small_text_are_learned(store, tmp_path):
    """More steps, at a higher rate: the training side is known nearly by heart."""
    longer = small_training(
        steps=100, next_sentence=False, dropout=0.0, checkpoint_seconds=60.0,
        optimizer=Optimizer(learning_rate=4e-3, warmup_steps=10), masking=Masking(rate=0.3),
        heldout=HeldOut(every=1000, instances=16),
    )  # fmt: skip
    trained = pretrain(store, longer, tmp_path, unwatched)
    assert trained.history[-1]["mlm_loss"] < 0.75 * trained.history[0]["mlm_loss"]
    assert trained.history[-1]["nsp_loss"] is None
    assert trained.history[-1]["heldout"]["nsp_loss"] is None
    assert trained.history[-1]["heldout"]["nsp_accuracy"] is None
    assert not {name for name in trained.metrics if "nsp" in name}
    assert trained.bert.heads == {"pooler": "new", "mlm": "trained", "nsp": "new"}


def test_identity_is_what_the_weights_depend_on(store, settings):
    def of(digest="", **changes):
        return Identity.of(store, settings.model_copy(update=changes), digest).fingerprint

    assert of() == of(checkpoint_seconds=99.0) == of(init="somewhere")
    assert of("a" * 64) == of("a" * 64, init="here", init_sha256="a" * 64)
    assert len({of(), of(seed=2), of(threads=2), of(micro_batch=2), of("a" * 64), of("b" * 64)}) == 6
    assert Identity.of(store, settings).inputs == {"data/tokens/pieces": store.digest}


def test_nothing_to_train_on_is_refused_in_a_sentence(tmp_path, store, settings, monkeypatch):
    from dataclasses import replace

    from firth.wordpiece.store import Split

    with pytest.raises(DataError, match="training side of the token store is empty"):
        pretrain(replace(store, train=Split([], 0, 0, 0)), settings, tmp_path, unwatched)
    alone = fable_store(tmp_path / "alone", heldout=len(fables.fables()) - 1)
    with pytest.raises(DataError, match="one document only"):
        pretrain(alone, settings, tmp_path / "run", unwatched)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"bert\.accelerator is cuda"):
        pretrain(store, settings.model_copy(update={"accelerator": "cuda"}), tmp_path / "run", unwatched)


def test_without_held_out_text_nothing_is_measured_on_any(tmp_path, capfd):
    trained = pretrain(fable_store(tmp_path / "s", heldout=0), small_training(steps=6), tmp_path / "r", unwatched)
    assert set(trained.metrics) == {"train/mlm_loss", "train/nsp_loss"}
    assert "no held-out text" in capfd.readouterr().err


def test_one_held_out_document_is_looked_at_without_next_sentences(tmp_path):
    trained = pretrain(fable_store(tmp_path / "s", heldout=1), small_training(steps=6), tmp_path / "r", unwatched)
    look = trained.history[-1]["heldout"]
    assert look["nsp_loss"] is None
    assert 0 < look["mlm_loss"] < 10
    assert "heldout/nsp_loss" not in trained.metrics


def test_it_trains_in_a_thread_leaves_torch_alone_and_shows_only_its_own_lines(store, tmp_path, capfd):
    torch.manual_seed(5)
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    thread = threading.Thread(target=pretrain, args=(store, small_training(steps=6), tmp_path, unwatched))
    thread.start()
    thread.join()
    after = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    out, err = capfd.readouterr()
    assert out == ""
    assert [line.split(":")[0] for line in err.splitlines()] == ["bert"]
    assert "tokens/s" in err
    assert "masked words" in err
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_the_model_that_the_paper_describes_is_trained(store, settings, unbroken):
    assert isinstance(unbroken.bert.model, Pretraining)
    assert unbroken.bert.model.architecture.vocabulary == len(store.tokenizer)
    assert unbroken.bert.model.architecture.positions == settings.positions
    assert unbroken.bert.tokenizer is store.tokenizer
