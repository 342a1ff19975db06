import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import fables
import numpy as np
import pytest
import torch
from fables import fable_store, small_training

from firth.bert import module as lightning_module
from firth.bert.identity import Identity
from firth.bert.model import Pretraining
from firth.bert.train import pretrain
from firth.config.bert import HeldOut, Masking, Optimizer, Tokenize
from firth.errors import ConfigError, DataError, FirthError, IntegrityError
from firth.training.checkpoint import Checkpoints
from firth.training.metrics_log import MetricsLog
from firth.wordpiece.store import TokenStore, build_store


def unwatched(_step, _metrics):
    pass


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def weights(trained):
    return {name: tensor.numpy() for name, tensor in trained.bert.model.state_dict().items()}


def same(first, second):
    assert weights(first).keys() == weights(second).keys()
    for name, array in weights(first).items():
        assert array.tobytes() == weights(second)[name].tobytes(), name
    assert first.history == second.history
    assert first.metrics == second.metrics
    assert (first.tokens, first.steps) == (second.tokens, second.steps)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return fable_store(tmp_path_factory.mktemp("pieces"))


@pytest.fixture(scope="module")
def settings():
    return small_training(micro_batch=4)


@pytest.fixture(scope="module")
def unbroken(store, settings, tmp_path_factory):
    return pretrain(store, settings, tmp_path_factory.mktemp("run"), unwatched)


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


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_broken_off_and_resumed_gives_the_same_bytes(unbroken, store, settings, tmp_path, killed_at):
    """Killed while it tells of its rows: at steps 8 (a held-out look), 10 and 16."""
    calls = []

    def killer(step, _metrics):
        calls.append(step)
        if len(calls) == killed_at:
            raise Killed

    with pytest.raises(Killed):
        pretrain(store, settings, tmp_path, killer)
    last = calls[-1]
    assert max((tmp_path / "checkpoints").iterdir()).name == f"step-{last - 1:012d}"
    resumed = []
    again = pretrain(store, settings, tmp_path, lambda step, _metrics: resumed.append(step))
    same(again, unbroken)
    steps = [row["step"] for row in unbroken.history]
    assert resumed == steps[killed_at - 1 :]
    assert [line["step"] for line in MetricsLog(tmp_path).read()] == steps
    # A finished training is not done twice, and a damaged newest checkpoint costs its steps only.
    same(pretrain(store, settings, tmp_path, lambda *_: pytest.fail("trained again")), unbroken)
    newest = max((tmp_path / "checkpoints").iterdir())
    (newest / "arrays.safetensors").write_bytes(b"torn")
    same(pretrain(store, settings, tmp_path, unwatched), unbroken)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"name": "lamb", "learning_rate": 5e-3}, {"name": "muon"}, {"skip_spikes": 1.1}],
    ids=["lamb", "muon", "spikes"],
)
def test_every_optimizer_goes_on_to_the_same_bytes(store, settings, tmp_path, capfd, changes):
    """Killed twice: in the middle, and after updates that were left out."""
    optimizer = Optimizer(**{"learning_rate": 2e-3, "warmup_steps": 4, **changes})
    settings = settings.model_copy(update={"steps": 40, "optimizer": optimizer})
    unbroken = pretrain(store, settings, tmp_path / "unbroken", unwatched)
    assert unbroken.history[-1]["mlm_loss"] < unbroken.history[0]["mlm_loss"]
    capfd.readouterr()

    def killer(step, _metrics):
        if step in deaths:
            deaths.remove(step)
            raise Killed

    deaths = [16, 32]
    for _ in range(2):
        with pytest.raises(Killed):
            pretrain(store, settings, tmp_path / "run", killer)
    same(pretrain(store, settings, tmp_path / "run", killer), unbroken)
    if optimizer.skip_spikes:
        assert unbroken.metrics["train/skipped_updates"] == unbroken.history[-1]["skipped_updates"] > 1
        assert unbroken.history[1]["skipped_updates"] == 0
        assert "this update is left out" in capfd.readouterr().err


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


@pytest.mark.parametrize("moment", ["in a step", "while a checkpoint is written"])
def test_sigterm_saves_and_exits_143(unbroken, store, settings, tmp_path, monkeypatch, moment):
    inner, save = lightning_module.clip, Checkpoints.save
    steps = []

    def in_a_step(*args):
        steps.append(args)
        if len(steps) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return inner(*args)

    def while_saving(self, at, *args):
        if at == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return save(self, at, *args)

    patient = settings.model_copy(update={"checkpoint_seconds": 1e6})
    if moment == "in a step":
        monkeypatch.setattr(lightning_module, "clip", in_a_step)
    else:
        monkeypatch.setattr(Checkpoints, "save", while_saving)
        patient = settings
    with pytest.raises(SystemExit) as exit_:
        pretrain(store, patient, tmp_path, unwatched)
    assert exit_.value.code == 143
    newest = max((tmp_path / "checkpoints").iterdir()).name
    assert newest in ("step-000000000005", "step-000000000006")
    monkeypatch.undo()
    same(pretrain(store, patient, tmp_path, unwatched), unbroken)


def test_ctrl_c_is_ctrl_c_and_can_come_again(store, settings, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGINT)

    def pressed(*_args):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(lightning_module, "set_rate", pressed)
    with pytest.raises(KeyboardInterrupt):
        pretrain(store, settings, tmp_path, unwatched)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"micro_batch": 2}, r"\(micro_batch 4 -> 2\)"),
        ({"seed": 2}, r"\(seed 1 -> 2\)"),
        (
            {"optimizer": Optimizer(learning_rate=1e-3, warmup_steps=4)},
            r"\(optimizer\.learning_rate 0\.002 -> 0\.001\)",
        ),
    ],
)
def test_another_trainings_checkpoint_is_refused(store, settings, tmp_path, changes, said):
    pretrain(store, settings.model_copy(update={"steps": 5}), tmp_path, unwatched)
    with pytest.raises(IntegrityError, match="another training " + said):
        pretrain(store, settings.model_copy(update={"steps": 5, **changes}), tmp_path, unwatched)


def test_a_checkpoint_of_other_text_or_another_vocabulary_is_refused(store, settings, tmp_path):
    pretrain(store, settings.model_copy(update={"steps": 5}), tmp_path / "run", unwatched)
    few = settings.model_copy(update={"steps": 5})
    with pytest.raises(IntegrityError, match=r"another training \(other bytes of data/tokens/pieces"):
        pretrain(fable_store(tmp_path / "text", heldout=2), few, tmp_path / "run", unwatched)
    documents = fables.fables()
    build_store(documents[:9], documents[9:], fables.tokenizer(most=100), Tokenize(shuffle=False), tmp_path / "pieces")
    with pytest.raises(IntegrityError, match=r"another training \(another vocabulary, other bytes of data/tokens"):
        pretrain(TokenStore.open(tmp_path / "pieces"), few, tmp_path / "run", unwatched)


def test_identity_is_what_the_weights_depend_on(store, settings):
    def of(digest="", **changes):
        return Identity.of(store, settings.model_copy(update=changes), digest).fingerprint

    assert of() == of(checkpoint_seconds=99.0) == of(init="somewhere")
    assert of("a" * 64) == of("a" * 64, init="here", init_sha256="a" * 64)
    assert len({of(), of(seed=2), of(threads=2), of(micro_batch=2), of("a" * 64), of("b" * 64)}) == 6
    assert Identity.of(store, settings).inputs == {"data/tokens/pieces": store.digest}


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
    with pytest.raises(FirthError, match=rf"the {broken}.* at step 4; lower bert\.optimizer\.learning_rate \(0\.002\)"):
        pretrain(store, settings, tmp_path, unwatched)
    assert max(path.name for path in (tmp_path / "checkpoints").iterdir()) == "step-000000000003"


def test_weights_that_overflow_are_not_saved(store, settings, tmp_path, monkeypatch):
    inner, steps = torch.optim.AdamW.step, []

    def poisoned(self, *args, **kwargs):
        result = inner(self, *args, **kwargs)
        steps.append(self)
        if len(steps) == 4:
            with torch.no_grad():
                self.param_groups[0]["params"][0][0] = torch.inf
        return result

    monkeypatch.setattr(torch.optim.AdamW, "step", poisoned)
    with pytest.raises(FirthError, match="a weight is not finite after step 4"):
        pretrain(store, settings, tmp_path, unwatched)
    assert max(path.name for path in (tmp_path / "checkpoints").iterdir()) == "step-000000000003"


def test_bf16_trains_and_keeps_float32_weights(store, tmp_path):
    trained = pretrain(store, small_training(precision="bf16", steps=6), tmp_path, unwatched)
    assert np.isfinite(trained.metrics["train/mlm_loss"])
    assert {array.dtype for array in weights(trained).values()} == {np.dtype(np.float32)}


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


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from fables import small_training
from firth.bert.train import pretrain
from firth.bert.optimizer import set_rate
import firth.bert.module as module
from firth.wordpiece.store import TokenStore
def slow(*args):
    print("step", flush=True)
    time.sleep(0.05)
    set_rate(*args)
module.set_rate = slow
pretrain(TokenStore.open(Path(sys.argv[1])), small_training(micro_batch=4), Path(sys.argv[2]), lambda *_: None)
"""


@pytest.mark.system
@pytest.mark.parametrize("delay", [0.0, 0.21, 0.5])
def test_kill_9_then_resume_gives_the_same_bytes(unbroken, store, settings, tmp_path, delay):
    support = Path(fables.__file__).parent
    command = [sys.executable, "-c", CHILD, str(store.folder), str(tmp_path), str(support)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        assert child.wait(timeout=60) == -signal.SIGKILL
    same(pretrain(store, settings, tmp_path, unwatched), unbroken)
