"""A Prefect API for one foreground run: the one that is up, else a private one that ends with this process.

Prefect can start such a server itself, but in this process's group, where Ctrl-C would reach it before the run's end is
recorded, and a kill of this process would orphan it. Here it runs under `guard.py`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from firth.errors import FirthError
from firth.pipeline.execute import GUARD
from firth.project import state_folder

API_VARIABLE = "PREFECT_API_URL"
START_SECONDS = 120.0
"""The first start migrates the database; on a busy machine that takes a while."""

DRAIN_SECONDS = 10.0


@contextmanager
def prefect_api(root: Path) -> Iterator[Callable[[], None]]:
    """Set this process's environment to a Prefect API that answers while the context lasts.

    In this order: what `PREFECT_API_URL` names, what `firth up` started, a private server on a free port of loopback
    with its database in `.firth/prefect`. Must be entered before `prefect` is imported; yields a function that waits
    until the API answers, so that slow imports and the server's start go side by side.
    """
    from firth.pipeline import services

    for key, value in settings(root).items():
        os.environ.setdefault(key, value)
    os.environ.update(services.environment(root))
    if os.environ.get(API_VARIABLE):
        yield lambda: None
        return
    port = _free_port()
    process = _start(port, root)
    try:
        os.environ[API_VARIABLE] = f"http://127.0.0.1:{port}/api"
        yield lambda: _wait_until_healthy(process, port, root)
    finally:
        _send_what_waits()
        os.environ.pop(API_VARIABLE, None)
        if process.stdin:
            process.stdin.close()
        process.wait()


def settings(root: Path) -> Mapping[str, str]:
    """Prefect's settings for this project: its home below `.firth`, no telemetry, errors of the log's sending muted."""
    return {
        "PREFECT_HOME": str(state_folder(root) / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "DO_NOT_TRACK": "1",
    }


def log_file(root: Path) -> Path:
    """Where Prefect's own lines of foreground runs go."""
    folder = state_folder(root) / "prefect"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "foreground.log"


def _start(port: int, root: Path) -> subprocess.Popen[bytes]:
    server = ["uvicorn", "--factory", "prefect.server.api.server:create_app", "--host", "127.0.0.1"]
    server += ["--port", str(port), "--log-level", "error", "--lifespan", "on"]
    with log_file(root).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", str(GUARD), "5", sys.executable, "-m", *server],
            env=os.environ
            | {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"},
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _send_what_waits() -> None:
    """Logs and events are sent in the background; without this, Prefect retries them for a minute after the end."""
    if "prefect" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=DRAIN_SECONDS)


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, root: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise FirthError(f"the Prefect server ended with exit status {process.returncode}; see {log_file(root)}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise FirthError(f"the Prefect server did not answer within {START_SECONDS:.0f} s; see {log_file(root)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
