"""Runs one command in a process group of its own and ends the whole group when the parent goes.

`python guard.py GRACE COMMAND…`: the parent holds the other end of standard input. When that closes — the parent
asked for the end, or was killed — every process of the group gets TERM, has GRACE seconds (a training saves a
checkpoint in them) and is then killed. Nothing is orphaned, whatever happened to the parent. The exit status is the
command's, 128 + n where a signal n ended it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

POLL_SECONDS = 0.05


def main(arguments: list[str]) -> int:
    """Run `arguments[1:]` with `arguments[0]` seconds of grace."""
    grace, command = float(arguments[0]), arguments[1:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited by the command
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    ending = threading.Event()
    threading.Thread(target=_end_when_parent_goes, args=(child.pid, ending), daemon=True).start()
    while True:  # DVC dies of TERM at once, while the stage that it started still saves its checkpoint
        try:
            status = child.wait(POLL_SECONDS if ending.is_set() else 0.5)
            break
        except subprocess.TimeoutExpired:
            if ending.is_set():
                _finish(child.pid, grace)
    if not ending.is_set():  # whatever the command left behind
        _signal(child.pid, signal.SIGTERM)
    _finish(child.pid, grace)
    return 128 - status if status < 0 else status


def _end_when_parent_goes(group: int, ending: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    ending.set()
    _signal(group, signal.SIGTERM)


def _finish(group: int, grace: float) -> None:
    """Wait until the group is gone, at most `grace` seconds; then kill it."""
    deadline = time.monotonic() + grace
    while _alive(group) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _alive(group: int) -> bool:
    """Whether the group holds a process that is more than a zombie (nobody may be there to reap orphans)."""
    import psutil

    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
        except ProcessLookupError:
            continue
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
