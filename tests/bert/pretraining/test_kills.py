"""Killed at 20 moments, some of them between two operations on the files of a checkpoint: the same bytes in the end."""

import signal
import subprocess
import sys
from pathlib import Path

import fables
import pytest
from fables import fable_store, small_training

from firth.bert.pretraining.train import pretrain

STEPS = 120
KILLS = 20

SERVER = """
import os, random, signal, sys, time
from pathlib import Path

store, run, support, steps, kills = sys.argv[1:]
sys.path.insert(0, support)
import torch
torch.set_num_threads(1)
import firth.bert.pretraining.module
from fables import small_training
from firth.bert.data.plan import Cursor
from firth.bert.data.steps import Steps
from firth.bert.data.text import Text
from firth.bert.pretraining.train import pretrain
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


SLOW = """
import sys, time
from pathlib import Path
store, run, support = sys.argv[1:]
sys.path.insert(0, support)
from fables import small_training
import firth.bert.pretraining.module as module
from firth.bert.optimizers.optimizer import set_rate
from firth.bert.pretraining.train import pretrain
from firth.stages.run import run_stage
from firth.wordpiece.store import TokenStore

def slow(*args):
    print("in a step", flush=True)
    time.sleep(0.5)
    set_rate(*args)
    print("updated", flush=True)

module.set_rate = slow
settings = small_training(micro_batch=4, checkpoint_seconds=1e6)
sys.argv[1:] = []
run_stage(lambda _: print(pretrain(TokenStore.open(Path(store)), settings, Path(run), lambda *_: None)))
"""


@pytest.mark.system
@pytest.mark.slow
def test_sigterm_ends_the_step_saves_and_exits_143(tmp_path):
    store, settings = fable_store(tmp_path / "store"), small_training(micro_batch=4, checkpoint_seconds=1e6)
    support, run = Path(fables.__file__).parent, tmp_path / "run"
    command = [sys.executable, "-c", SLOW, str(store.folder), str(run), str(support)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(5):  # of the third step only its beginning
            child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (143, "updated\n"), err
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-000000000003"]
    assert "Traceback" not in err
    unbroken = pretrain(store, settings, tmp_path / "unbroken", lambda *_: None)
    again = pretrain(store, settings, run, lambda *_: None)
    for name, tensor in unbroken.bert.model.state_dict().items():
        assert again.bert.model.state_dict()[name].numpy().tobytes() == tensor.numpy().tobytes(), name


FULL = """
import sys
from pathlib import Path
store, run, support = sys.argv[1:]
sys.path.insert(0, support)
from fables import small_training
from firth.bert.pretraining.train import pretrain
from firth.stages.run import run_stage
from firth.wordpiece.store import TokenStore
sys.argv[1:] = []
run_stage(lambda _: pretrain(TokenStore.open(Path(store)), small_training(micro_batch=4), Path(run), lambda *_: None))
"""


@pytest.mark.system
@pytest.mark.slow
def test_a_disk_that_fills_up_ends_the_training_with_one_line(tmp_path):
    """Room for two checkpoints and a half: the third is written before the first one goes."""
    store, settings = fable_store(tmp_path / "store"), small_training(micro_batch=4)
    unbroken = pretrain(store, settings, tmp_path / "unbroken", lambda *_: None)
    size = sum(path.stat().st_size for path in max((tmp_path / "unbroken" / "checkpoints").iterdir()).iterdir())
    run = tmp_path / "run"
    run.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={int(2.5 * size)}", "tmpfs", str(run)]
    mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        support = Path(fables.__file__).parent
        command = [sys.executable, "-c", FULL, str(store.folder), str(run), str(support)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert "checkpoint of step 3 could not be written" in done.stderr
        assert "No space left on device" in done.stderr
        assert done.stderr.rstrip().endswith("training goes on from that of step 2")
        assert len(done.stderr.splitlines()) == 1
        assert not list(run.rglob(".part-*"))
        subprocess.run(["mount", "-o", f"remount,size={10 * size}", str(run)], check=True)  # somebody made room
        again = pretrain(store, settings, run, lambda *_: None)
        for name, tensor in unbroken.bert.model.state_dict().items():
            assert again.bert.model.state_dict()[name].numpy().tobytes() == tensor.numpy().tobytes(), name
    finally:
        subprocess.run(["umount", str(run)], check=True)
