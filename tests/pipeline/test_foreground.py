"""`firth run` as a process: what it prints, its exit code, Ctrl-C, and that nothing is left running."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.support.toy_project import commit, replace, status

ROOT = Path(__file__).parents[2]
CODE = """
import sys
from pathlib import Path
from firth.errors import FirthError
from firth.pipeline import foreground
try:
    sys.exit(foreground.run(Path.cwd(), overrides=sys.argv[1:]))
except FirthError as error:
    sys.exit(f"error: {error}")
"""
SECONDS = 120.0


@pytest.fixture
def project(built: Path) -> Path:
    """A built clone with the flows in it."""
    shutil.copytree(ROOT / "flows", built / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    commit(built)
    return built


def start(root: Path, *overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *overrides],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def left_running(root: Path) -> list[list[str]]:
    """Command lines of processes that work below `root`."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        if (process.info["cwd"] or "").startswith(str(root)):
            found.append(process.info["cmdline"])
    return found


def test_a_wrong_parameter_is_refused_within_seconds_before_prefect_starts(project: Path) -> None:
    process = start(project, "word2vec.window=-1")
    _out, error = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert error.startswith("error: --set: word2vec.window = -1")
    assert not (project / ".firth").exists()


@pytest.mark.system
def test_a_run_prints_stages_scores_and_what_to_do_next_and_leaves_nothing_running(project: Path) -> None:
    replace(project / "params.yaml", "  window: 5", "  window: 6")
    process = start(project)
    out, error = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, error
    assert "▸ train   started" in error
    assert "= raw@x   up to date" in error
    assert "Finished in state" not in error, "Prefect's own lines go to a file"
    assert re.search(r"^training loss +0\.6", out, re.MULTILINE)
    assert "@champion" not in out, "nothing was promoted: there is none to ask about"
    assert "firth run --set" in out
    assert "| prefect" not in out + error
    assert left_running(project) == []

    process = start(project)
    out, _error = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "every stage is up to date" in out


@pytest.mark.system
def test_a_failure_ends_with_the_stages_error(project: Path) -> None:
    process = start(project, "word2vec.window=13")
    _out, error = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert error.endswith("error: train: window 13 is unlucky\n  choose another\n")
    assert "Traceback" not in error
    assert left_running(project) == []


SLEEPER = """\
import pathlib, signal, sys, time
def save(*_):
    time.sleep(0.5)
    (pathlib.Path(__import__("os").environ["FIRTH_STATE"]) / "saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("waiting", flush=True)
while True: time.sleep(0.05)
"""


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_ended_run_ends_its_stages_after_they_could_save(project: Path, number: signal.Signals) -> None:
    (project / "src" / "train.py").write_text(SLEEPER)
    commit(project)
    process = start(project)
    assert process.stderr
    for line in process.stderr:
        if "waiting" in line:
            break
    before = status(project)

    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # Ctrl-C reaches the whole group
    else:
        process.send_signal(number)
    sent = time.monotonic()
    rest = process.stderr.read()
    process.communicate(timeout=SECONDS)
    print(f"ended {time.monotonic() - sent:.1f} s after {number.name}")

    deadline = time.monotonic() + SECONDS
    while left_running(project) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_running(project) == []
    assert (project / ".firth" / "saved").exists()
    assert status(project) == before
    assert process.returncode != 0
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert rest.endswith("goes on from its checkpoint\n")
