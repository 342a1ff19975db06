"""An MLflow server that goes away while a training runs, comes back, and goes for good."""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fables import fable_store
from mlflow_server import free_port, server, until
from scored_project import ScoredProject

from firth.bert.pretraining.curve import Curve
from firth.canonical import read_json
from firth.config.load import preset_text, with_overrides
from firth.stages import bert
from firth.tracking import runs, sender
from firth.tracking.reconcile import reconcile
from firth.tracking.runs import find_run, training_run
from firth.tracking.sender import steps_held
from firth.tracking.store import open_store
from firth.training.metrics_log import MetricsLog

PARAMS = {"dim": 4}
INPUTS = {"data/tokens/words": "a" * 64}


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


SMALL = [
    "bert.size=tiny", "bert.positions=64", "bert.length=48", "bert.batch=8", "bert.micro_batch=0", "bert.steps=30",
    "bert.optimizer.warmup_steps=2", "bert.heldout.every=5", "bert.heldout.instances=16", "bert.threads=1",
]  # fmt: skip


@pytest.mark.system
@pytest.mark.slow
def test_a_pretraining_loses_its_server_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fable_store(tmp_path / "data/tokens/pieces")
    (tmp_path / "params.yaml").write_text(with_overrides(preset_text("demo"), SMALL)[0])
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    store_folder, port = tmp_path / ".firth" / "mlflow", free_port()
    open_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    for name, value in (("MAX_RETRIES", "0"), ("TIMEOUT", "5")):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)
    monkeypatch.setattr(sender, "LONGEST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(runs, "FINISH_SECONDS", 5.0)

    def held() -> set[int]:
        (noted,) = (tmp_path / ".firth" / "runs" / "bert").glob(f"*/{runs.RUN_FILE}")
        return steps_held(open_store(), json.loads(noted.read_text())["run_id"]).get("train/mlm_loss", set())

    inner = Curve.row
    with ExitStack() as stack:
        stack.enter_context(server(store_folder, port))

        def row(self: Curve, step: int, *rest: Any) -> None:
            inner(self, step, *rest)
            if step == 10:
                until(lambda: held() == {5, 10})
                stack.close()

        monkeypatch.setattr(Curve, "row", row)
        bert.main([])
    steps = [row["step"] for row in read_json(tmp_path / "data/models/bert/history.json")]
    assert steps == [5, 10, 15, 20, 25, 30]
    (folder,) = (tmp_path / ".firth" / "runs" / "bert").iterdir()
    assert [line["step"] for line in MetricsLog(folder).read()] == steps
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert re.search(r"MLflow did not take \d+ points of this run", line)
    # The next start of the stage finds the training done, and the store takes what it lacks.
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert held() == {5, 10}
    bert.main([])
    assert held() == set(steps)
