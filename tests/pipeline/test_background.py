"""Processes that outlive the command that started them."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from firth.errors import FirthError
from firth.pipeline import background
from firth.pipeline.background import Recorded
from firth.pipeline.loopback import HOST, ask, choose_port, is_free
from firth.pipeline.waiting import Waiting

SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]
STUBBORN = [
    sys.executable,
    "-uc",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(300)",
]
FAMILY = [
    sys.executable,
    "-uc",
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'], start_new_session=True)\n"
    "print(child.pid); time.sleep(300)",
]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Recorded]]:
    """What a test started; all of it is ended after the test."""
    everything: list[Recorded] = []
    yield everything
    background.stop(everything, 0.1)


def start(started: list[Recorded], tmp_path: Path, command: list[str]) -> Recorded:
    one = background.start("thing", command, tmp_path, dict(os.environ), tmp_path / "log" / "thing.log")
    started.append(one)
    return one


def gone(process: psutil.Process) -> bool:
    """Ended; whoever adopted it may not have collected it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def first_line(recorded: Recorded) -> str:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if said := Path(recorded.log).read_text(encoding="utf-8").splitlines():
            return said[0]
        time.sleep(0.05)
    raise AssertionError("said nothing")


def test_stop_ends_the_process_and_a_child_in_a_session_of_its_own(started: list[Recorded], tmp_path: Path) -> None:
    one = start(started, tmp_path, FAMILY)
    child = psutil.Process(int(first_line(one)))
    assert one.running()
    assert os.getsid(one.pid) == one.pid != os.getsid(child.pid)
    background.stop([one], 5)
    assert not one.running()
    assert gone(child)


def test_an_orphan_is_ended_although_its_parent_is_gone(started: list[Recorded], tmp_path: Path) -> None:
    one = start(started, tmp_path, FAMILY)
    child = psutil.Process(int(first_line(one)))
    os.kill(one.pid, 9)
    background.stop([one], 5)
    assert gone(child)


def test_what_ignores_term_is_killed_after_the_grace(started: list[Recorded], tmp_path: Path) -> None:
    one = start(started, tmp_path, STUBBORN)
    assert first_line(one) == "ready"
    begun = time.monotonic()
    background.stop([one], 0.5)
    assert 0.4 < time.monotonic() - begun < 5
    assert not one.running()


def test_a_process_with_a_reused_id_is_not_touched(started: list[Recorded], tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP)
    try:
        taken = Recorded("thing", stranger.pid, psutil.Process(stranger.pid).create_time() - 60, "no-token", "log")
        assert not taken.running()
        background.stop([taken], 0.5)
        assert stranger.poll() is None
        own = start(started, tmp_path, SLEEP)
        assert not dataclasses.replace(own, created=own.created + 5).running()
    finally:
        stranger.kill()
        stranger.wait()


def test_waiting_gives_up_with_the_log_when_a_process_ends(started: list[Recorded], tmp_path: Path) -> None:
    one = start(started, tmp_path, [sys.executable, "-c", "print('the port is taken'); raise SystemExit(3)"])
    with pytest.raises(FirthError, match=r"(?s)the thing ended while starting; .*the port is taken"):
        Waiting(30).until(lambda: False, "thing", [one])


def test_waiting_gives_up_after_its_time(started: list[Recorded], tmp_path: Path) -> None:
    one = start(started, tmp_path, STUBBORN)
    first_line(one)
    with pytest.raises(FirthError, match=r"(?s)the thing did not answer in 0\.3 s; .*ready"):
        Waiting(0.3).until(lambda: False, "thing", [one])


def test_ports_are_chosen_around_what_is_in_use() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert port < choose_port("Thing", None, port) <= port + 99
        with pytest.raises(FirthError, match=f"port {port} for Thing is in use"):
            choose_port("Thing", port, 1)
    assert choose_port("Thing", None, port) == port
    assert choose_port("Thing", None, port, {port}) > port
    with pytest.raises(FirthError, match="in use"):
        choose_port("Thing", port, 1, {port})


def test_nobody_answers_at_a_free_port() -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    assert ask(f"http://{HOST}:{port}/health") is None
