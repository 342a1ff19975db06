"""Broken off, resumed, ended by a signal: the bytes are those of an unbroken training."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fables
import pytest
import torch
from fable_training import same, unwatched
from fables import fable_store
from killing import Killed
from safetensors.numpy import load_file

from firth.bert.pretraining import module as lightning_module
from firth.bert.pretraining.train import pretrain
from firth.canonical import read_json
from firth.config.bert import Optimizer, Tokenize
from firth.errors import FirthError, IntegrityError
from firth.training.checkpoint import Checkpoints
from firth.training.metrics_log import MetricsLog
from firth.wordpiece.store import TokenStore, build_store


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


def test_a_checkpoint_says_little_and_holds_the_history_beside_the_weights(store, settings, tmp_path):
    trained = pretrain(store, settings.model_copy(update={"steps": 60}), tmp_path, unwatched)
    newest = max((tmp_path / "checkpoints").iterdir())
    assert set(read_json(newest / "state.json")["state"]["curve"]) == {"metrics", "since"}
    rows = load_file(newest / "arrays.safetensors")["curve.rows"].tobytes().splitlines()
    assert [json.loads(row) for row in rows] == trained.history


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


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from fables import small_training
from firth.bert.pretraining.train import pretrain
from firth.bert.optimizers.optimizer import set_rate
import firth.bert.pretraining.module as module
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
