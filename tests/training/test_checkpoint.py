import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from firth.errors import IntegrityError
from firth.training.checkpoint import ARRAYS, STATE, Checkpoints
from firth.training.lock import run_lock
from firth.training.metrics_log import MetricsLog
from firth.training.signals import EXIT_CODE, stop_on_sigterm

ARRAY = {"w": np.arange(12, dtype=np.float32).reshape(3, 4)}


def saved(folder, steps=(1, 2, 3)):
    checkpoints = Checkpoints(folder, "mine")
    for step in steps:
        checkpoints.save(step, {"w": ARRAY["w"] * step}, {"epoch": step})
    return checkpoints


def test_the_newest_comes_back_and_two_stay(tmp_path):
    latest = saved(tmp_path).latest()
    assert latest is not None
    assert (latest.step, latest.state) == (3, {"epoch": 3})
    np.testing.assert_array_equal(latest.arrays["w"], ARRAY["w"] * 3)
    assert sorted(path.name[-1] for path in tmp_path.iterdir()) == ["2", "3"]


def test_none_before_the_first(tmp_path):
    assert Checkpoints(tmp_path / "new", "mine").latest() is None


def torn(path):
    path.write_bytes(path.read_bytes()[:-5])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [torn, flipped, lambda p: p.unlink(), lambda p: p.write_bytes(b"")])
@pytest.mark.parametrize("name", [ARRAYS, STATE])
def test_a_harmed_newest_gives_way_to_the_one_before(tmp_path, capfd, harm, name):
    checkpoints = saved(tmp_path)
    harm(tmp_path / "step-000000000003" / name)
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.step == 2
    assert "step-000000000003" in capfd.readouterr().err
    checkpoints.save(3, ARRAY, {})
    again = checkpoints.latest()
    assert again is not None
    assert again.step == 3


def test_an_altered_state_is_noticed(tmp_path):
    checkpoints = saved(tmp_path, [1])
    path = tmp_path / "step-000000000001" / STATE
    tree = json.loads(path.read_text())
    tree["state"]["epoch"] = 7
    path.write_text(json.dumps(tree))
    assert checkpoints.latest() is None


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    saved(tmp_path)
    with pytest.raises(IntegrityError, match="another training"):
        Checkpoints(tmp_path, "theirs").latest()


def test_a_kill_while_saving_leaves_the_one_before(tmp_path, monkeypatch):
    checkpoints = saved(tmp_path, [1])

    def killed(*_, **__):
        raise KeyboardInterrupt

    for place in ("rename", "write_text"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("pathlib.Path." + place, killed)
            checkpoints.save(2, ARRAY, {})
        reopened = Checkpoints(tmp_path, "mine")
        latest = reopened.latest()
        assert latest is not None
        assert latest.step == 1
        assert [path.name for path in tmp_path.iterdir()] == ["step-000000000001"]


def test_metrics_after_the_checkpoint_are_forgotten(tmp_path):
    log = MetricsLog(tmp_path)
    for step in (10, 20, 30):
        log.append(step, {"train/loss": step / 10})
    with log.path.open("a") as stream:
        stream.write('{"step": 40, "met')  # torn by a kill
    assert [line["step"] for line in log.read()] == [10, 20, 30]
    log.truncate(20)
    log.append(25, {"train/loss": 2.5})
    assert [(line["step"], line["metrics"]["train/loss"]) for line in log.read()] == [(10, 1.0), (20, 2.0), (25, 2.5)]


def test_sigterm_becomes_a_request_and_the_second_one_ends():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as exit_, stop_on_sigterm() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
        os.kill(os.getpid(), signal.SIGTERM)
    assert exit_.value.code == EXIT_CODE == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_process_waits_for_the_first(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom firth.training.lock import run_lock\n"
        "with run_lock(Path(sys.argv[1])):\n    print('in', flush=True)\n"
    )
    with run_lock(tmp_path):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        assert "waiting" in process.stderr.readline()
        time.sleep(0.2)
        assert process.poll() is None
    out, _ = process.communicate(timeout=30)
    assert out == "in\n"
