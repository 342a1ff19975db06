"""Real MLflow servers for tests, on loopback: of a store, and of models."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.1)


@contextmanager
def server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A real server, the leader of its process group, killed at the end of the block."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", (folder / "artifacts").as_uri()]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        until(lambda: answers(port))
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(models: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[list[int]]:
    """The ports at which `models` answer: folders, or addresses such as `models:/bert@champion`; ended with the block.

    They start side by side. What they say is written to `folder`; `environment` is added to this process's own.
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = os.environ | {"PATH": path} | dict(environment or {})
    ports = [free_port() for _ in models]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for model, port in zip(models, ports, strict=True):
            command = ["mlflow", "models", "serve", "-m", model, "--env-manager", "local", "-p", str(port)]
            with _log(folder, port).open("w") as said:
                processes.append(
                    subprocess.Popen(command, env=variables, stdout=said, stderr=said, start_new_session=True)
                )
        for process, port in zip(processes, ports, strict=True):
            until(partial(_ready, process, port, folder), seconds=300)
        yield ports
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _ready(process: subprocess.Popen[bytes], port: int, folder: Path) -> bool:
    assert process.poll() is None, _log(folder, port).read_text()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _log(folder: Path, port: int) -> Path:
    return folder / f"serve-{port}.log"


def post(port: int, body: Mapping[str, Any]) -> tuple[int, Any]:
    """Status and answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
