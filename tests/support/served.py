"""Models served by `mlflow models serve`, as the README says, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mlflow_server import free_port, until


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
