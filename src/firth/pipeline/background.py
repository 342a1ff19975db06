"""Processes that outlive the command that started them: written down, recognised, and ended with their descendants.

A process is recognised by its id together with its creation time; its descendants by a token that they inherit in their
environment, wherever they are in the process tree. So a process that merely got the same id later is never touched.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

TOKEN = "FIRTH_SERVICE"  # noqa: S105 — the name of a variable, nothing secret
CREATED_TOLERANCE = 0.05
"""Seconds by which two readings of one creation time may differ."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A started process: its name, id, creation time (seconds since 1970), token and log file."""

    name: str
    pid: int
    created: float
    token: str
    log: str

    def running(self) -> bool:
        """Whether this very process is alive."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < CREATED_TOLERANCE
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        try:
            with Path(self.log).open(encoding="utf-8", errors="replace") as stream:
                return "".join(deque(stream, maxlen=lines)).rstrip()
        except FileNotFoundError:
            return "(no log)"


def start(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> Recorded:
    """Start `command` in a session of its own, its output going to `log`."""
    token = secrets.token_hex(8)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**environment, TOKEN: token},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        created = psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        created = 0.0  # already gone: `running` says so and the log says why
    _children[process.pid] = process
    return Recorded(name, process.pid, created, token, str(log))


def stop(recorded: Sequence[Recorded], grace: float) -> None:
    """End these processes and their descendants: TERM, up to `grace` seconds, KILL; returns when all are gone."""
    family = _family(recorded)
    _send(family, signal.SIGTERM)
    _wait(family, grace)
    left = _family(recorded)
    _send(left, signal.SIGKILL)
    _wait(left, 5.0)


def _family(recorded: Sequence[Recorded]) -> list[psutil.Process]:
    """The recorded processes that live, and every living process that carries one of their tokens."""
    for process in _children.values():
        process.poll()  # collect our own dead, else they stay as zombies
    tokens = {one.token for one in recorded}
    pids = {one.pid for one in recorded if one.running()}
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and (
                process.pid in pids or process.environ().get(TOKEN) in tokens
            ):
                found.append(process)
    return found


def _send(processes: Sequence[psutil.Process], what: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(what)  # psutil compares the creation time before it sends


def _wait(processes: Sequence[psutil.Process], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for child in _children.values():
            child.poll()
        if not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
            return
        time.sleep(0.1)


_children: dict[int, subprocess.Popen[bytes]] = {}
"""What this process itself started."""
