"""Memory that is refused: what is said, what is kept, and what a search for the right micro batch finds."""

import subprocess
import sys
from pathlib import Path

import fables
import numpy as np
import pytest
import torch
from fables import fable_store, small_training
from typer.testing import CliRunner

from firth.bert.data.steps import Steps
from firth.bert.data.text import Text
from firth.bert.pretraining import fitting
from firth.bert.pretraining import module as lightning_module
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.fitting import (
    candidates,
    is_out_of_memory,
    largest_micro_batch,
    longest_batch,
    memory_explained,
)
from firth.bert.pretraining.train import pretrain
from firth.cli import app
from firth.config.bert import SecondPhase
from firth.errors import FirthError

CPU = Device("cpu", "fp32")


def refused():
    torch.empty(1 << 60, dtype=torch.uint8)


def refused_by_numpy():
    np.empty(1 << 60, dtype=np.uint8)


def refused_by_the_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("ask", [refused, refused_by_numpy, refused_by_the_gpu])
def test_refused_memory_is_one_line_that_says_what_to_lower(ask):
    settings = small_training(batch=8, micro_batch=4, length=48)
    said = r"out of memory on cpu, .* GB; lower bert\.micro_batch \(4 sequences of up to 48 tokens .*, bert\.length"
    with pytest.raises(FirthError, match=said), memory_explained(settings, CPU):
        ask()
    two = small_training(second_phase=SecondPhase(share=0.5, length=64))
    said = r"bert\.second_phase\.micro_batch \(8 sequences of up to 64"
    with pytest.raises(FirthError, match=said), memory_explained(two, CPU):
        ask()
    with pytest.raises(FirthError) as caught, memory_explained(small_training(batch=1), CPU):
        ask()
    assert "micro_batch (" not in str(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), KeyError("memory")])
def test_other_errors_stay_what_they_are(error):
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)), memory_explained(small_training(), CPU):
        raise error


def test_a_training_out_of_memory_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    store, settings = fable_store(tmp_path / "s"), small_training(steps=8)
    unbroken = pretrain(store, settings, tmp_path / "unbroken", lambda *_: None)
    inner, calls = lightning_module.BertModule.losses, []

    def greedy(self, batch):
        calls.append(batch)
        if len(calls) == 5:
            refused()
        return inner(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(lightning_module.BertModule, "losses", greedy)
        with pytest.raises(FirthError, match=r"bert: out of memory on cpu.*lower bert\.micro_batch"):
            pretrain(store, settings, tmp_path / "run", lambda *_: None)
    assert max((tmp_path / "run" / "checkpoints").iterdir()).name == "step-000000000004"
    again = pretrain(store, settings, tmp_path / "run", lambda *_: None)
    for name, tensor in again.bert.model.state_dict().items():
        assert torch.equal(tensor, unbroken.bert.model.state_dict()[name]), name


@pytest.mark.parametrize(
    ("batch", "devices", "sizes"),
    [(256, 1, [256, 128, 64, 32, 16, 8, 4, 2, 1]), (96, 1, [96, 48, 24, 12, 6, 3, 1]), (8, 3, [2, 1]), (1, 1, [1])],
)
def test_sizes_divide_the_batch(batch, devices, sizes):
    assert candidates(batch, devices) == sizes
    assert all(batch % size == 0 for size in sizes)


@pytest.mark.parametrize("packing", [False, True])
def test_a_try_takes_the_longest_instances(tmp_path, packing):
    store = fable_store(tmp_path)
    settings = small_training(micro_batch=4, short_sequences=0.9, packing=packing)
    phase = Steps(Text.of(store.train), store.tokenizer, settings).phases[0]
    chosen, _ = phase.instances.following(phase.first, len(phase.instances.plan(0)))
    lengths = chosen.spans[:, 1] + chosen.spans[:, 3] + 3
    batch = longest_batch(phase, 0, 4)
    assert batch.layout.offsets.diff()[:4].tolist() == sorted(lengths.tolist(), reverse=True)[:4]
    assert batch.instances == 4
    assert longest_batch(phase, 0, 64).instances == 64  # more than there are
    if packing:
        assert len(batch.ids) == 4 * settings.length


def test_the_largest_that_fits_is_found_and_other_failures_are_said(tmp_path, monkeypatch, capfd):
    store, settings = fable_store(tmp_path), small_training(batch=8)
    tried = []

    def child(code, stderr=""):
        def run(_command, input, **_):  # noqa: A002
            tried.append(fitting.json.loads(input)["settings"]["micro_batch"])
            return subprocess.CompletedProcess([], code if tried[-1] > 2 else 0, "", stderr)

        return run

    for code, stderr in ((fitting.TOO_LARGE, ""), (-9, ""), (-6, "what():  std::bad_alloc")):
        monkeypatch.setattr(fitting.subprocess, "run", child(code, stderr))
        assert largest_micro_batch(store, settings) == 2
        assert tried == [8, 4, 2]
        tried.clear()
    assert "bert: 4 sequences at once do not fit" in capfd.readouterr().err
    monkeypatch.setattr(fitting.subprocess, "run", child(1, "Traceback\nValueError: no"))
    with pytest.raises(FirthError, match="8 sequences at once failed: ValueError: no"):
        largest_micro_batch(store, settings)
    with pytest.raises(FirthError, match="not even one sequence"):
        monkeypatch.setattr(fitting, "_fits", lambda *_: False)
        largest_micro_batch(store, settings)


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fables import small_training
from firth.bert.pretraining import fitting
from firth.bert.pretraining.fitting import largest_micro_batch
from firth.wordpiece.store import TokenStore
fitting.candidates = lambda batch, devices: [batch, 64]
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]),) * 2)
print(largest_micro_batch(TokenStore.open(Path(sys.argv[1])), small_training(batch=int(sys.argv[4]))))
"""


@pytest.mark.system
def test_under_a_limit_less_fits(tmp_path):
    fable_store(tmp_path)
    support = str(Path(fables.__file__).parent)
    command = [sys.executable, "-c", LIMITED, str(tmp_path), support, str(4 << 30), str(1 << 16)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout == "64\n"
    assert done.stderr.splitlines() == ["bert: 65536 sequences at once do not fit", "bert: 64 sequences at once fit"]


@pytest.mark.slow
def test_the_command_says_what_fits_and_trains_nothing(tmp_path):
    fable_store(tmp_path / "s")
    arguments = ["pretrain", "--tokens", tmp_path / "s", "--to", tmp_path / "m", "--size", "tiny", "--steps", "4"]
    settings = ["positions=64", "length=48", "batch=4", "threads=1", "accelerator=cpu"]
    sets = [part for setting in settings for part in ("--set", f"bert.{setting}")]
    done = CliRunner().invoke(app, [*map(str, arguments), *sets, "--find-micro-batch"])
    assert done.exit_code == 0, done.output
    assert done.stdout == "--set bert.micro_batch=4\n"
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
