import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from firth.canonical import value_sha256
from firth.errors import FirthError, IntegrityError
from firth.training import checkpoint as checkpoint_module
from firth.training.checkpoint import ARRAYS, STATE, Checkpoints
from firth.training.fingerprint import TrainingIdentity
from firth.training.lock import run_lock
from firth.training.metrics_log import MetricsLog
from firth.training.signals import EXIT_CODE, stop_on_sigterm

ARRAY = {"w": np.arange(12, dtype=np.float32).reshape(3, 4)}


PARAMS = {"size": "tiny", "masking": {"rate": 0.15, "whole_words": False}, "seed": 1}
MINE = TrainingIdentity.with_code("bert", PARAMS, {"data/tokens/pieces": "a" * 64}, ["wheels"], {"vocabulary": "v"})


def saved(folder, steps=(1, 2, 3), keep=2):
    checkpoints = Checkpoints(folder, MINE, keep)
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
    assert Checkpoints(tmp_path / "new", MINE).latest() is None


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


@pytest.mark.parametrize("keep", [1, 3])
def test_as_many_stay_as_are_asked_for_and_a_damaged_one_counts_for_none(tmp_path, keep):
    checkpoints = saved(tmp_path, range(1, 6), keep)
    assert len(list(tmp_path.iterdir())) == keep
    flipped(tmp_path / "step-000000000005" / ARRAYS)
    before = checkpoints.latest()
    checkpoints.save(4, ARRAY, {"epoch": 40})  # goes on from step 4 or less, and is behind the damaged one
    latest = Checkpoints(tmp_path, MINE, keep).latest()
    assert (before is None) == (keep == 1)
    assert latest is not None
    assert (latest.step, latest.state) == (4, {"epoch": 40})
    assert len(list(tmp_path.iterdir())) == (1 if keep == 1 else 2)


def other(**changes):
    parts = {
        "stage": "bert", "params": PARAMS, "inputs": {"data/tokens/pieces": "a" * 64}, "packages": ["wheels"],
        "details": {"vocabulary": "v"},
    }  # fmt: skip
    return TrainingIdentity.with_code(**{**parts, **changes})


MANY = {str(n): n for n in range(9)}


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (other(params={**PARAMS, "seed": 2}), r"\(seed 1 -> 2\)"),
        (
            other(params={"size": "base", "masking": {"rate": 0.3, "whole_words": False}}),
            r"\(size tiny -> base, masking\.rate 0\.15 -> 0\.3, seed 1 -> absent\)",
        ),
        (
            other(inputs={"data/tokens/pieces": "b" * 64}),
            r"\(other bytes of data/tokens/pieces \(aaaaaaaa… -> bbbbbbbb…\)\)",
        ),
        (
            other(inputs={"data/tokens/pieces": "b" * 64}, details={"vocabulary": "w"}),
            r"\(another vocabulary, other bytes of data/tokens/pieces",
        ),
        (
            other(inputs={"data/tokens/pieces": "a" * 64, "bert.init": "c" * 64}),
            r"\(other bytes of bert\.init \(absent -> cccccccc…\)\)",
        ),
        (other(packages=["wheels", "project"]), r"\(the code of firth\.project\)"),
        (other(params=MANY), r"\(0 absent -> 0, .*4 absent -> 4 and 7 more"),
    ],
)  # fmt: skip
def test_a_checkpoint_of_another_training_is_refused_and_the_difference_named(tmp_path, theirs, said):
    saved(tmp_path)
    with pytest.raises(IntegrityError, match="another training " + said):
        Checkpoints(tmp_path, theirs).latest()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_checkpoint_of_an_earlier_version_is_refused_too(tmp_path):
    saved(tmp_path, [1])
    path = tmp_path / "step-000000000001" / STATE
    tree = json.loads(path.read_text())
    del tree["training"], tree["sha256"]
    tree["fingerprint"] = "older"
    path.write_text(json.dumps({**tree, "sha256": value_sha256(tree)}))
    with pytest.raises(IntegrityError, match="by an earlier version of Firth"):
        Checkpoints(tmp_path, MINE).latest()


def test_same_parts_same_fingerprint():
    assert MINE.fingerprint == other().fingerprint == other(details={}).fingerprint
    assert MINE.differences(other().described) == ""
    changed = [other(stage="s"), other(params={}), other(inputs={}), other(packages=[])]
    assert len({MINE.fingerprint, *(one.fingerprint for one in changed)}) == 5
    assert all(MINE.differences(one.described) for one in changed)


def half_written(arrays, path):
    path.write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_checkpoint_before_and_nothing_else(tmp_path, monkeypatch):
    checkpoints = saved(tmp_path, [1])
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_module, "save_file", half_written)
        with pytest.raises(FirthError, match=r"step 2 .*No space left on device.*goes on from that of step 1$"):
            checkpoints.save(2, ARRAY, {})
        with pytest.raises(FirthError, match="from its beginning"):
            Checkpoints(tmp_path / "new", MINE).save(1, ARRAY, {})
    assert [path.name for path in tmp_path.glob("*step*")] == ["step-000000000001"]
    checkpoints.save(2, ARRAY, {})
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.step == 2


@pytest.mark.system
@pytest.mark.parametrize("room", [0.5, 1.0, 1.5])
def test_a_disk_that_is_really_full(tmp_path, room):
    """A file system with room for one checkpoint and a part of the next."""
    arrays = {"w": np.arange(1 << 16, dtype=np.float32)}
    size = int((1 + room) * arrays["w"].nbytes) & ~0xFFF
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(tmp_path)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        checkpoints = Checkpoints(tmp_path, MINE, keep=1)
        checkpoints.save(1, arrays, {"epoch": 1})
        if room > 1.0:
            checkpoints.save(2, arrays, {})
        else:
            with pytest.raises(FirthError, match=r"could not be written .*No space left on device"):
                checkpoints.save(2, arrays, {})
        latest = Checkpoints(tmp_path, MINE).latest()
        assert latest is not None
        assert latest.step == (2 if room > 1.0 else 1)
        assert len(list(tmp_path.iterdir())) == 1
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_kill_while_saving_leaves_the_one_before(tmp_path, monkeypatch):
    checkpoints = saved(tmp_path, [1])

    def killed(*_, **__):
        raise KeyboardInterrupt

    for place in ("rename", "write_text"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("pathlib.Path." + place, killed)
            checkpoints.save(2, ARRAY, {})
        reopened = Checkpoints(tmp_path, MINE)
        latest = reopened.latest()
        assert latest is not None
        assert latest.step == 1
        assert [path.name for path in tmp_path.iterdir()] == ["step-000000000001"]


def test_metrics_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(FirthError, match=r"metrics of step 10 could not be written \(No space left on device\)"):
        MetricsLog(tmp_path).append(10, {"train/loss": 1.0})


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


@pytest.mark.parametrize("step", [-1, 5, 10, 29, 30, 99])
@pytest.mark.parametrize("end", [b"", b'{"step": 40, "met', b'{"step": 40, "met\n', b"\0\0\0\n\0", b"[]\n\n"])
def test_metrics_up_to_a_step_keep_their_bytes(tmp_path, step, end):
    log = MetricsLog(tmp_path)
    lines = []
    for number in (10, 20, 30):
        log.append(number, {"train/loss": number / 7, "a": 1.0})
        lines.append(log.path.read_bytes().splitlines(keepends=True)[-1])
    with log.path.open("ab") as stream:
        stream.write(end)
    log.truncate(step)
    assert log.path.read_bytes() == b"".join(lines[: max(0, min(step, 30)) // 10])
    before = log.path.stat().st_ino
    log.truncate(step)
    assert log.path.stat().st_ino == before or not log.path.stat().st_size
    log.append(step + 1, {"train/loss": 0.0})
    assert [line["step"] for line in log.read()][-1] == step + 1


def test_a_log_that_was_never_written_is_empty_from_then_on(tmp_path):
    MetricsLog(tmp_path / "new").truncate(-1)
    assert (tmp_path / "new" / "metrics.jsonl").read_bytes() == b""
    assert list(MetricsLog(tmp_path / "new").read()) == []


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
