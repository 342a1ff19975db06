"""Pretraining on two processes (gloo, CPU): they find what one finds, keep one checkpoint, and end together."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from fable_training import unwatched, weights
from fables import fable_store, small_training
from killing import Killed
from safetensors.numpy import load_file

from firth.bert.pretraining import loop
from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.train import pretrain
from firth.config.bert import HeldOut, Optimizer, Ramp
from firth.errors import ConfigError, FirthError
from firth.training.processes import LostProcessError

pytestmark = pytest.mark.system

LOSSES = 1e-5
"""Two processes add up in another order than one: how far losses may differ, in nats."""

WEIGHTS = 1e-4
"""And weights after 10 steps at a rate of 2e-3."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return fable_store(tmp_path_factory.mktemp("pieces"))


def settings(**changes):
    """Steps of 1, 2 and 3 micro batches: two processes never share them evenly; dropout is on."""
    usual = {
        "batch": 12, "micro_batch": 4, "steps": 10, "ramp": Ramp(start=4, steps=5), "dropout": 0.1,
        "heldout": HeldOut(every=5, instances=40),
    }  # fmt: skip
    return small_training(**{**usual, **changes})


def alike(found, expected):
    assert (found.steps, found.tokens) == (expected.steps, expected.tokens)
    assert [row["step"] for row in found.history] == [row["step"] for row in expected.history]
    for row, other in zip(found.history, expected.history, strict=True):
        assert row["tokens"] == other["tokens"]
        np.testing.assert_allclose(row["mlm_loss"], other["mlm_loss"], atol=LOSSES)
        if other["nsp_loss"] is not None:
            np.testing.assert_allclose(row["nsp_loss"], other["nsp_loss"], atol=LOSSES)
        assert row.keys() == other.keys()
        if "heldout" in row:
            look, whole = row["heldout"], other["heldout"]
            assert (look["predictions"], look["instances"]) == (whole["predictions"], whole["instances"])
            np.testing.assert_allclose(look["mlm_loss"], whole["mlm_loss"], atol=LOSSES)
    for name, array in weights(expected).items():
        np.testing.assert_allclose(weights(found)[name], array, atol=WEIGHTS, err_msg=name)


def same(found, expected):
    for name, array in weights(expected).items():
        assert weights(found)[name].tobytes() == array.tobytes(), name
    assert found.history == expected.history
    assert found.metrics == expected.metrics


@pytest.fixture(scope="module")
def alone(store, tmp_path_factory):
    return pretrain(store, settings(), tmp_path_factory.mktemp("alone"), unwatched)


@pytest.fixture(scope="module", params=["ddp", "fsdp"])
def two(request, store, tmp_path_factory):
    """The settings of a strategy, what two processes find, and the folder of their run."""
    chosen, folder = settings(devices=2, strategy=request.param), tmp_path_factory.mktemp(request.param)
    return chosen, pretrain(store, chosen, folder, unwatched), folder


def test_two_processes_find_what_one_finds(alone, two):
    alike(two[1], alone)


def test_broken_off_and_resumed_they_end_with_the_same_bytes(store, two, tmp_path):
    chosen, unbroken, _ = two

    def killer(step, _metrics):
        if step == 10:
            raise Killed

    with pytest.raises(Killed):
        pretrain(store, chosen, tmp_path, killer)
    assert not psutil.Process().children()
    checkpoint = max((tmp_path / "checkpoints").iterdir())
    assert checkpoint.name == "step-000000000009"
    same(pretrain(store, chosen, tmp_path, unwatched), unbroken)


def test_a_checkpoint_holds_the_whole_model_whatever_held_it(two, alone):
    saved = load_file(max((two[2] / "checkpoints").iterdir()) / "arrays.safetensors")
    expected = weights(alone)
    moments = {f"{moment}.{name}" for moment in ("exp_avg", "exp_avg_sq") for name in expected}
    assert saved.keys() == expected.keys() | moments | {loop.HISTORY}
    for name, array in expected.items():
        np.testing.assert_allclose(saved[name], array, atol=WEIGHTS)
        assert saved[f"exp_avg.{name}"].shape == saved[f"exp_avg_sq.{name}"].shape == array.shape


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_packed_without_next_sentences(store, tmp_path, strategy):
    """Fixed shapes, and heads that take no part in the loss."""
    changes = {"packing": True, "next_sentence": False, "ramp": Ramp(), "steps": 5, "batch": 12}
    one = pretrain(store, settings(**changes), tmp_path / "1", unwatched)
    alike(pretrain(store, settings(**changes, devices=2, strategy=strategy), tmp_path / "2", unwatched), one)


def test_updates_that_one_leaves_out_two_leave_out(store, tmp_path, capfd):
    """A threshold that some of these steps pass, far from the numbers' last digits."""
    optimizer = Optimizer(learning_rate=2e-3, warmup_steps=2, skip_spikes=1.1)
    changes = {"steps": 40, "micro_batch": 4, "batch": 12, "ramp": Ramp(), "optimizer": optimizer}
    one = pretrain(store, settings(**changes), tmp_path / "1", unwatched)
    assert one.metrics["train/skipped_updates"] > 1
    told = capfd.readouterr().err.count("this update is left out")
    two = pretrain(store, settings(**changes, devices=2), tmp_path / "2", unwatched)
    alike(two, one)
    assert [row["skipped_updates"] for row in two.history] == [row["skipped_updates"] for row in one.history]
    assert capfd.readouterr().err.count("this update is left out") == told


def test_a_schedule_by_the_clock_is_one_for_all_and_is_repeated(store, tmp_path, monkeypatch):
    """The first process's clock, on which each look takes a tenth of a second; the others have none to look at."""
    looks = itertools.count()
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(looks) / 10))
    optimizer = Optimizer(learning_rate=2e-3, warmup_steps=4)
    timed = settings(steps=10_000_000, minutes=0.05, ramp=Ramp(), optimizer=optimizer, devices=2)
    first = pretrain(store, timed, tmp_path / "timed", unwatched)
    monkeypatch.undo()
    assert first.rates is not None
    assert len(first.rates) == first.steps > 4
    assert first.rates[-1] < first.rates.max()
    again = pretrain(store, timed, tmp_path / "again", unwatched, rates=first.rates)
    np.testing.assert_array_equal(again.rates, first.rates)
    same(again, first)
    alone = timed.model_copy(update={"devices": 1})
    alike(pretrain(store, alone, tmp_path / "alone", unwatched, rates=first.rates), first)


def follower():
    [child] = psutil.Process().children()
    return child


@pytest.mark.parametrize(("who", "strategy"), [("first", "ddp"), ("second", "fsdp")])
def test_sigterm_to_either_saves_once_and_all_exit_143(store, tmp_path, who, strategy):
    seen = []

    def terminate(step, _metrics):
        if step == 5:
            seen.append(follower())
            os.kill(os.getpid() if who == "first" else seen[0].pid, signal.SIGTERM)
            time.sleep(0.2)  # a signal to another process takes its time

    patient = settings(devices=2, strategy=strategy, checkpoint_seconds=1e6)
    with pytest.raises(SystemExit) as exit_:
        pretrain(store, patient, tmp_path, terminate)
    assert exit_.value.code == 143
    [kept] = (tmp_path / "checkpoints").iterdir()
    assert kept.name in ("step-000000000005", "step-000000000006")
    assert not seen[0].is_running()


def test_a_process_that_is_killed_ends_the_training_in_a_sentence(store, tmp_path):
    def kill(step, _metrics):
        if step == 5:
            follower().kill()

    started = time.monotonic()
    with pytest.raises(LostProcessError, match=r"process 2 of 2 was ended by signal 9; .*last checkpoint"):
        pretrain(store, settings(devices=2), tmp_path, kill)
    assert time.monotonic() - started < 60
    assert max((tmp_path / "checkpoints").iterdir()).name >= "step-000000000004"


def test_another_training_beside_the_first_is_refused(store, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(Identity, "of", lambda *_: Identity.with_code("bert", {}, {}, []))
    with pytest.raises(FirthError, match="process 2 of 2 ended with exit code 1"):
        pretrain(store, settings(devices=2), tmp_path, unwatched)
    assert "process 2 of 2 is at another training than the first one" in capfd.readouterr().err


def test_a_training_that_diverges_is_told_of_once(store, tmp_path, monkeypatch, capfd):
    def wild(*args):
        model = first_weights(*args)
        model.nsp.weight.data.fill_(3e38)
        return model

    first_weights = loop.first_weights
    monkeypatch.setattr(loop, "first_weights", wild)
    with pytest.raises(FirthError, match=r"at step 1 \(instances 0 of epoch 0 up to, .*; lower bert\.optimizer"):
        pretrain(store, settings(devices=2), tmp_path, unwatched)
    assert "process 2" not in capfd.readouterr().err


CHILD = """
import sys
from pathlib import Path
from firth.bert.pretraining.train import pretrain
from firth.config.bert import Bert
from firth.wordpiece.store import TokenStore
settings = Bert.model_validate_json(sys.argv[3])
trained = pretrain(TokenStore.open(Path(sys.argv[1])), settings, Path(sys.argv[2]), lambda *_: None)
print(trained.history[-1]["mlm_loss"], flush=True)
"""


def started(store, folder, chosen, **environment):
    command = [sys.executable, "-c", CHILD, str(store.folder), str(folder), chosen.model_dump_json()]
    return subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_kill_9_of_the_first_process_ends_the_others(store, tmp_path):
    with started(store, tmp_path, settings(devices=2, steps=10_000)) as first:
        until = time.monotonic() + 120
        while not any((tmp_path / "checkpoints").glob("step-*")) and time.monotonic() < until:
            time.sleep(0.2)
        [second] = psutil.Process(first.pid).children()
        first.kill()
        second.wait(timeout=20)
        first.communicate(timeout=20)


@pytest.mark.parametrize("starter", ["torchrun", "srun"])
def test_processes_that_somebody_else_started(store, alone, tmp_path, starter):
    """All run the same program; the first alone has a result."""
    port = str(free_port())
    chosen = settings(devices=2)
    running = []
    for rank in ("0", "1"):
        if starter == "torchrun":
            variables = {"RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": "2"}
        else:
            variables = {
                "SLURM_PROCID": rank, "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "1", "SLURM_LOCALID": rank,
                "SLURM_STEP_NODELIST": "localhost", "SLURM_JOB_ID": "1", "SLURM_STEP_ID": "0",
            }  # fmt: skip
        running.append(started(store, tmp_path, chosen, MASTER_ADDR="127.0.0.1", MASTER_PORT=port, **variables))
    outputs = [process.communicate(timeout=180) for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    assert float(outputs[0][0]) == pytest.approx(alone.history[-1]["mlm_loss"], abs=LOSSES)
    assert outputs[1][0] == ""
    assert "bert:" not in outputs[1][1]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_more_devices_than_gpus_are_refused_in_a_sentence(store, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"bert\.devices asks for 2 GPUs on this machine, but torch finds 1 here"):
        pretrain(store, settings(devices=2, accelerator="cuda"), tmp_path, unwatched)
