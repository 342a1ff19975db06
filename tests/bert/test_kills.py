"""Killed at 20 moments, some of them between two operations on the files of a checkpoint: the same bytes in the end."""

import signal
import subprocess
import sys
from pathlib import Path

import fables
import pytest
from fables import fable_store, small_training

from firth.bert.train import pretrain

STEPS = 120
KILLS = 20

SERVER = """
import os, random, signal, sys, time
from pathlib import Path

store, run, support, steps, kills = sys.argv[1:]
sys.path.insert(0, support)
import torch
torch.set_num_threads(1)
import firth.bert.module
from fables import small_training
from firth.bert.plan import Cursor
from firth.bert.steps import Steps
from firth.bert.text import Text
from firth.bert.train import pretrain
from firth.wordpiece.store import TokenStore

store, settings = TokenStore.open(Path(store)), small_training(micro_batch=4, steps=int(steps))
Steps(Text.of(store.train), store.tokenizer, settings).at(0, Cursor())  # its compiled code is there before a fork
moments = random.Random(20181011)
FILES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}


def child(ready, told_at, killed_at):
    seen = 0

    def watch(event, arguments):
        nonlocal seen
        if event in FILES and ".part-" in str(arguments[0]) or event == "os.rename" or event == "shutil.rmtree":
            seen += 1
            if seen == told_at:
                os.write(ready, b".")
            if seen == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    pretrain(store, settings, Path(run), lambda *_: None)
    os._exit(0)


for number in range(int(kills)):
    # Every second child dies between two operations on files, the others some milliseconds behind one.
    moment, timed = moments.randint(1, 40), number % 2 == 0
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        child(writer, *((moment, None) if timed else (1, moment + 1)))
    os.close(writer)
    os.read(reader, 1)
    if timed:
        time.sleep(moments.uniform(0.0, 0.03))
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    os.close(reader)
    newest = max((path.name for path in Path(run, "checkpoints").glob("step-*")), default="none")
    print(os.waitstatus_to_exitcode(status), newest, flush=True)
"""


@pytest.mark.system
@pytest.mark.slow
def test_kill_9_at_20_moments_gives_the_same_bytes(tmp_path):
    store, settings = fable_store(tmp_path / "store"), small_training(micro_batch=4, steps=STEPS)
    unbroken = pretrain(store, settings, tmp_path / "unbroken", lambda *_: None)
    support, run = Path(fables.__file__).parent, tmp_path / "run"
    command = [sys.executable, "-c", SERVER, str(store.folder), str(run), str(support), str(STEPS), str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    ends = [line.split() for line in done.stdout.splitlines()]
    assert [int(code) for code, _ in ends] == [-signal.SIGKILL] * KILLS, done.stdout + done.stderr
    assert "going back" not in done.stderr
    # All of them went on from where the one before was killed, and the last one was not at the end yet.
    newest = [name for _, name in ends]
    assert newest == sorted(newest)
    assert len(set(newest)) > KILLS // 2
    assert int(newest[-1].removeprefix("step-")) < STEPS
    again = pretrain(store, settings, run, lambda *_: None)
    for name, tensor in unbroken.bert.model.state_dict().items():
        assert again.bert.model.state_dict()[name].numpy().tobytes() == tensor.numpy().tobytes(), name
    assert (again.history, again.metrics, again.tokens) == (unbroken.history, unbroken.metrics, unbroken.tokens)
    assert not list(run.rglob(".part-*"))
