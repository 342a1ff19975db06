"""The other processes of a training on this machine: started, watched, and ended by the first one.

A follower runs a module of ours and reads its task, one line of JSON, from standard input. The pipe stays open for as
long as the first process lives: at its end a follower ends too, wherever it is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]

import firth
from firth.errors import FirthError
from firth.training.processes import TIMEOUT_SECONDS, LostProcessError, Meeting, here
from firth.training.signals import EXIT_CODE

POLL_SECONDS = 0.2

GRACE_SECONDS = 20.0
"""How long the first process may take to notice that a follower has gone, before it is ended where it stands."""

LEAVE_SECONDS = 20.0
"""How long followers may take to leave by themselves at the end."""

HERE = "127.0.0.1"


@contextmanager
def followers(module: str, task: Mapping[str, Any], count: int) -> Iterator[Meeting]:
    """`count` − 1 processes that run `module`; what they and this one meet in is given to the block.

    Args:
        module: its name; it calls `received` for its task.
        task: JSON; each gets its `rank`, `count` and the `port` to meet at beside it.
        count: processes, this one included.

    Raises:
        LostProcessError: one of them ended before the block did.
    """
    store = TCPStore(HERE, 0, count, True, timedelta(seconds=TIMEOUT_SECONDS), wait_for_workers=False)
    started: list[subprocess.Popen[bytes]] = []
    over = threading.Event()
    try:
        for rank in range(1, count):
            started.append(_started(module, {**task, "rank": rank, "count": count, "port": store.port}))
        _wait_for(started, store)
        threading.Thread(target=_watch, args=(started, over), name="followers", daemon=True).start()
        try:
            yield store
        except LostProcessError as error:
            if gone := _gone(started, LEAVE_SECONDS / 2):
                raise LostProcessError(f"{gone}; the training goes on from its last checkpoint") from error
            raise
        over.set()
        _leave(started)
    except SystemExit:
        over.set()
        _leave(started)
        raise
    finally:
        over.set()
        _end(started)


def received(stream: IO[bytes]) -> dict[str, Any]:
    """A follower's task; from now on this process ends when `stream` does."""
    task: dict[str, Any] = json.loads(stream.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole terminal; the first process answers it

    def wait() -> None:
        stream.read()
        os._exit(1)

    threading.Thread(target=wait, name="first process", daemon=True).start()
    return task


def met(task: Mapping[str, Any]) -> Meeting:
    """Where a follower meets the others."""
    timeout = timedelta(seconds=TIMEOUT_SECONDS)
    return TCPStore(HERE, task["port"], task["count"], False, timeout, wait_for_workers=False)


def _started(module: str, task: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    source = str(Path(firth.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-m", module], stdin=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(task).encode() + b"\n")
    process.stdin.flush()
    return process


def _wait_for(started: list[subprocess.Popen[bytes]], store: Meeting) -> None:
    until = time.monotonic() + TIMEOUT_SECONDS
    while not store.check([here(rank) for rank in range(1, len(started) + 1)]):
        if gone := _gone(started, fine=()):
            told_to = any((process.poll() or 0) < 0 or process.poll() == EXIT_CODE for process in started)
            error = LostProcessError if told_to else FirthError
            raise error(f"{gone} before the training began; what it said is above")
        if time.monotonic() > until:
            raise LostProcessError(f"the other processes of the training did not start in {TIMEOUT_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS / 4)


def _gone(started: list[subprocess.Popen[bytes]], seconds: float = 0.0, fine: tuple[int, ...] = (0, EXIT_CODE)) -> str:
    """Which process has ended, and not with a `fine` code, after a wait of at most `seconds`; empty: none."""
    until = time.monotonic() + seconds
    while True:
        for rank, process in enumerate(started, start=1):
            if (code := process.poll()) is not None and code not in fine:
                how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
                return f"process {rank + 1} of {len(started) + 1} {how}"
        if time.monotonic() >= until or any(process.poll() is not None for process in started):
            return ""
        time.sleep(POLL_SECONDS)


def _watch(started: list[subprocess.Popen[bytes]], over: threading.Event) -> None:
    """End this process if it waits for one that has gone: on a GPU nothing else may ever wake it."""
    while not over.wait(POLL_SECONDS):
        gone = _gone(started)
        if gone and not over.wait(GRACE_SECONDS):
            print(
                f"error: {gone}, and the others cannot go on; the last checkpoint is kept", file=sys.stderr, flush=True
            )
            _end(started)
            os._exit(1)
        if gone:
            return


def _leave(started: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + LEAVE_SECONDS
    for process in started:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return


def _end(started: list[subprocess.Popen[bytes]]) -> None:
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    for process in started:
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
