"""An MLflow server that goes away while a training runs, comes back, and goes for good."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scored_project import ScoredProject

from firth.tracking import runs, sender
from firth.tracking.reconcile import reconcile
from firth.tracking.runs import find_run, training_run
from firth.tracking.sender import steps_held
from firth.tracking.store import open_store
from firth.training.metrics_log import MetricsLog

PARAMS = {"dim": 4}
INPUTS = {"data/tokens/words": "a" * 64}


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.1)


@contextmanager
def server(folder: Path, port: int) -> Iterator[None]:
    """A real server, killed at the end of the block."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", (folder / "artifacts").as_uri()]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        until(lambda: answers(port))
        yield
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


@pytest.mark.system
@pytest.mark.slow
def test_a_training_goes_on_and_every_point_arrives(
    project: ScoredProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fingerprint = project.train("skipgram", 1)
    store_folder = project.root / ".firth" / "mlflow"
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    for name, value in (("MAX_RETRIES", "0"), ("TIMEOUT", "5")):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)
    monkeypatch.setattr(sender, "LONGEST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(runs, "FINISH_SECONDS", 20.0)
    folder = project.root / ".firth" / "runs" / "word2vec-skipgram" / fingerprint
    log = MetricsLog(folder)

    def train(run: runs.TrainingRun, steps: range) -> None:
        started = time.monotonic()
        for step in steps:
            log.append(step, {"train/loss": 1 / step})
            run.log({"train/loss": 1 / step}, step)
        assert time.monotonic() - started < 1.0

    with training_run("word2vec@skipgram", fingerprint, PARAMS, INPUTS, folder) as run:
        with server(store_folder, port):
            train(run, range(1, 11))
            until(lambda: run.run_id is not None and not run._sender._points)
        train(run, range(11, 21))
        until(lambda: run._sender.error is not None)
        with server(store_folder, port):
            until(lambda: run._sender.error is None)
            assert steps_held(open_store(), str(run.run_id))["train/loss"] == set(range(1, 21))
        train(run, range(21, 31))
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert "MLflow did not take 10 points" in line
    assert "sends them from the files" in line

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (done,) = reconcile(project.root)
    assert (done.run_id, done.created) == (run.run_id, False)
    assert steps_held(open_store(), done.run_id)["train/loss"] >= set(range(1, 31))


def test_what_a_killed_attempt_could_not_send_follows_with_the_next(project: ScoredProject) -> None:
    folder = project.root / ".firth" / "runs" / "x"
    for step in (10, 20):
        MetricsLog(folder).append(step, {"train/mlm_loss": 1 / step})
    with training_run("bert", "e" * 64, {}, {}, folder) as run:
        run.log({"train/mlm_loss": 1 / 20}, 20)
        run.log({"train/mlm_loss": 1 / 30}, 30)
    store = open_store(project.root)
    found = find_run(store, "e" * 64)
    assert found is not None
    points = store.client.get_metric_history(found.info.run_id, "train/mlm_loss")
    assert sorted((point.step, point.value) for point in points) == [(10, 1 / 10), (20, 1 / 20), (30, 1 / 30)]
