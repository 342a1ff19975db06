"""Bring the store up to date with the files: a training restored from DVC's cache, points that MLflow missed, scores.

The files are the truth. Each fingerprint has one run; what the store holds already is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from firth.canonical import file_sha256, read_json
from firth.errors import IntegrityError
from firth.project import run_folder
from firth.tasks.words.suites import METRICS, conditions
from firth.tracking.provenance import data_inputs, output_hash, read_lock
from firth.tracking.runs import Training, create_run, describe, find_run, is_described
from firth.tracking.sender import Point, send_points, steps_held
from firth.tracking.store import Store, mlflow_folder, open_store
from firth.training.metrics_log import MetricsLog

HISTORY_METRICS = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "heldout_loss": "heldout/loss",
}
RESTORED_TAG = "firth.restored"


@dataclass(frozen=True)
class Reconciled:
    """What was done for one model: its run, whether that had to be created, and how many points were sent."""

    model: str
    run_id: str
    created: bool
    points: int


def reconcile(root: Path, store: Store | None = None) -> list[Reconciled]:
    """See to it that every model in `data/vectors` of `root` has its run with all points and evaluation scores."""
    folders = sorted(path.parent for path in (root / "data" / "vectors").glob("*/training.json"))
    if not folders:
        return []
    opened = store or open_store(root)
    with FileLock(mlflow_folder(root) / "reconcile.lock"):
        return [_reconcile_one(opened, root, folder) for folder in folders]


def evaluation(root: Path, model: str) -> dict[str, Any] | None:
    """`{"digests", "conditions", "suites"}` of `word-tasks`; None where it has not scored these vectors."""
    path = root / "data" / "tasks" / "words" / "results.json"
    vectors = root / "data" / "vectors" / model / "vectors.safetensors"
    if not path.is_file() or not vectors.is_file():
        return None
    results = read_json(path)
    if results["vectors"].get(model) != file_sha256(vectors):
        return None
    return {
        "digests": results["digests"],
        "conditions": conditions(results["digests"], results["settings"]["restrict_vocabulary"]),
        "suites": results["models"][model],
    }


def training_of(root: Path, model: str) -> Training:
    """The training behind `data/vectors/<model>`, from its files and `dvc.lock`."""
    path = root / "data" / "vectors" / model / "training.json"
    tree = read_json(path)
    missing = {"stage", "fingerprint", "params"} - set(tree)
    if missing:
        raise IntegrityError(f"{path}: lacks {', '.join(sorted(missing))}")
    lock = read_lock(root)
    inputs = {name: output_hash(lock, name) or "unknown" for name in data_inputs(lock, tree["stage"])}
    return Training(tree["stage"], tree["fingerprint"], tree["params"], inputs, root)


def _reconcile_one(store: Store, root: Path, folder: Path) -> Reconciled:
    training = training_of(root, folder.name)
    run = find_run(store, training.fingerprint)
    created = run is None
    if run is None:
        run = create_run(store, training, {RESTORED_TAG: "true"})
    run_id: str = run.info.run_id
    if not is_described(run):
        describe(store, run_id, training)
    held = steps_held(store, run_id)
    points = _history(read_json(folder / "history.json")) + _logged(root, training)
    last = max((point.step for point in points), default=0)
    scored = evaluation(root, folder.name)
    if scored is not None:
        points += _scores(scored["suites"], last)
    new = {(point.key, point.step): point for point in points if point.step not in held.get(point.key, ())}
    send_points(store, run_id, list(new.values()))
    if scored is not None:
        for suite, digest in scored["digests"].items():
            store.client.set_tag(run_id, f"firth.tasks.{suite}", digest)
    if run.info.status != "FINISHED":
        store.client.set_terminated(run_id, status="FINISHED")
    return Reconciled(folder.name, run_id, created, len(new))


def _history(rows: list[Mapping[str, Any]]) -> list[Point]:
    now = time.time_ns() // 1_000_000
    return [
        Point(metric, float(row[field]), int(row["step"]), now)
        for row in rows
        for field, metric in HISTORY_METRICS.items()
        if row.get(field) is not None
    ]


def _logged(root: Path, training: Training) -> list[Point]:
    """What this clone's own training wrote down, with rates that `history.json` does not hold."""
    now = time.time_ns() // 1_000_000
    lines = MetricsLog(run_folder(training.stage, training.fingerprint, root)).read()
    return [Point(key, float(value), line["step"], now) for line in lines for key, value in line["metrics"].items()]


def _scores(suites: Mapping[str, Mapping[str, Any]], step: int) -> list[Point]:
    now = time.time_ns() // 1_000_000
    return [
        Point(METRICS[suite], float(part["score"]), step, now)
        for suite, part in suites.items()
        if part["score"] is not None
    ]
