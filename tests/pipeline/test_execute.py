"""Stages as process groups: their lines, their errors, and that nothing of them outlives what ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.support.toy_project import replace

from firth.pipeline.execute import Processes, StageError, StageStoppedError, run_stage
from firth.pipeline.worktree import environment

SECONDS = 30.0


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; fail after a time that only a hang takes."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", textwrap.dedent(code)]


def test_lines_arrive_while_the_command_runs(tmp_path: Path) -> None:
    heard: list[tuple[str, bool]] = []
    gate = tmp_path / "gate"
    code = f"""
        import pathlib, sys, time
        print("first", file=sys.stderr)
        while not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)
        print("läst")
    """

    def line(text: str) -> None:
        heard.append((text, gate.exists()))
        gate.touch()

    assert Processes().run(python(code), tmp_path, os.environ, line) == 0
    assert heard == [("first", False), ("läst", True)]


def test_the_exit_status_is_the_commands_and_a_signals_is_128_more(tmp_path: Path) -> None:
    assert Processes().run(python("raise SystemExit(7)"), tmp_path, os.environ, print) == 7
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert Processes().run(python(code), tmp_path, os.environ, print) == 128 + signal.SIGKILL


STAGE = """\
import os, pathlib, signal, sys, time
def save(*_):
    time.sleep(0.3)
    pathlib.Path("saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, HANDLER)
pathlib.Path("pid").write_text(str(os.getpid()))
while True: time.sleep(0.05)
"""
SHELL = python("import subprocess, sys; subprocess.run([sys.executable, 'stage.py'])")
"""Dies of TERM at once, as DVC does, with a stage below it that saves first."""


@pytest.mark.parametrize(("handler", "saved"), [("save", True), ("signal.SIG_IGN", False)])
def test_stop_ends_the_whole_group_after_it_could_save(tmp_path: Path, handler: str, saved: bool) -> None:
    (tmp_path / "stage.py").write_text(STAGE.replace("HANDLER", handler))
    processes = Processes(grace=10.0 if saved else 0.5)
    failures: list[Exception] = []

    def work() -> None:
        try:
            processes.run(SHELL, tmp_path, os.environ, print)
        except StageStoppedError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    pid = tmp_path / "pid"
    until(lambda: pid.exists() and pid.read_text() != "")
    processes.stop()
    thread.join(SECONDS)

    assert not alive(int(pid.read_text()))
    assert (tmp_path / "saved").exists() == saved
    assert [str(failure) for failure in failures] == ["cancelled"]
    with pytest.raises(StageStoppedError, match="being cancelled"):
        processes.run(python("print('late')"), tmp_path, os.environ, print)


def test_a_killed_parent_takes_its_stages_with_it(tmp_path: Path) -> None:
    (tmp_path / "stage.py").write_text(STAGE.replace("HANDLER", "save"))
    code = f"""
        import os, pathlib
        from firth.pipeline.execute import Processes
        Processes(grace=5).run({SHELL!r}, pathlib.Path.cwd(), os.environ, print)
    """
    parent = subprocess.Popen(python(code), cwd=tmp_path)
    try:
        pid = tmp_path / "pid"
        until(lambda: pid.exists() and pid.read_text() != "")
        parent.kill()
        parent.wait()
        until(lambda: not alive(int(pid.read_text())))
        assert (tmp_path / "saved").exists()
    finally:
        parent.kill()
        parent.wait()


def test_a_time_limit_stops_the_stage(tmp_path: Path) -> None:
    with pytest.raises(StageStoppedError, match=r"limit of 0\.2 s \(meta\.timeout_seconds"):
        Processes(grace=1).run(python("import time; time.sleep(60)"), tmp_path, os.environ, print, timeout=0.2)


@pytest.mark.slow
def test_a_stage_runs_alone_and_says_its_own_lines_only(built: Path) -> None:
    replace(built / "src/raw.py", "text of", "words of")
    lines: list[str] = []

    assert run_stage("raw@x", built, environment(built), lines.append, Processes())
    assert lines == ["reading x"], "what DVC says around it is left out"
    assert not run_stage("raw@x", built, environment(built), lines.append, Processes()), "now it is up to date"
    assert (built / "data/raw/y/text.txt").read_text() == "text of y", "the other stage was not touched"


@pytest.mark.slow
def test_a_failure_has_the_stages_message(built: Path) -> None:
    replace(built / "params.yaml", "  window: 5", "  window: 13")
    with pytest.raises(StageError) as caught:
        run_stage("train", built, environment(built), print, Processes())
    assert str(caught.value) == "window 13 is unlucky\n  choose another"


@pytest.mark.slow
def test_a_fault_of_a_stage_ends_with_its_exception_and_one_of_dvc_with_dvcs_words(toy: Path) -> None:
    replace(toy / "src/raw.py", "import pathlib, sys", "raise ValueError('out of text')")
    with pytest.raises(StageError, match=r"^ValueError: out of text$"):
        run_stage("raw@x", toy, environment(toy), print, Processes())
    with pytest.raises(StageError, match="data/raw"):
        run_stage("train", toy, environment(toy), print, Processes())
