"""Bring the store up to date with the files: a training restored from DVC's cache, points that MLflow missed, scores.

The files are the truth. Each fingerprint has one run; what the store holds already is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from firth.canonical import dumps, read_json
from firth.config.evaluation import GateModel
from firth.project import run_folder
from firth.tracking.evidence import MLM, Measured, evidence
from firth.tracking.runs import Training, create_run, describe, find_run, is_described
from firth.tracking.sender import Point, send_points, steps_held
from firth.tracking.store import Store, mlflow_folder, open_store
from firth.tracking.trained import MODELS, is_trained, output_of, training_of
from firth.training.metrics_log import MetricsLog

if TYPE_CHECKING:
    from mlflow.entities import Run

HISTORY_METRICS = {
    "loss": "train/loss",
    "mlm_loss": "train/mlm_loss",
    "nsp_loss": "train/nsp_loss",
    "learning_rate": "train/learning_rate",
    "heldout_loss": "heldout/loss",
}
HELDOUT_METRICS = ("mlm_loss", "mlm_accuracy", "nsp_loss", "nsp_accuracy", "unigram_loss")
"""Those of a look at held-out text that BERT's history holds."""
RESTORED_TAG = "firth.restored"


@dataclass(frozen=True)
class Reconciled:
    """One model's run: whether it had to be created, how many points were sent, and what it holds now.

    `seconds` is None where this store did not see the training: it was restored from DVC's cache.
    """

    model: str
    stage: str
    run_id: str
    experiment_id: str
    created: bool
    points: int
    seconds: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


def reconcile(
    root: Path,
    store: Store | None = None,
    models: Sequence[GateModel] = MODELS,
    tags: Mapping[str, str] | None = None,
) -> list[Reconciled]:
    """See to it that each of `models` that was trained in `root` has its run, with all points, scores and `tags`."""
    models = [model for model in models if is_trained(root, model)]
    if not models:
        return []
    opened = store or open_store(root)
    with FileLock(mlflow_folder(root) / "reconcile.lock"):
        found = [_reconcile_one(opened, root, model) for model in models]
    for run in found:
        for key, value in (tags or {}).items():
            opened.client.set_tag(run.run_id, key, value)
    return found


def _reconcile_one(store: Store, root: Path, model: str) -> Reconciled:
    training = training_of(root, model)
    run = find_run(store, training.fingerprint)
    created = run is None
    if run is None:
        run = create_run(store, training, {RESTORED_TAG: "true"})
    run_id: str = run.info.run_id
    if not is_described(run):
        describe(store, run_id, training)
    held = steps_held(store, run_id)
    points = _history(read_json(root / output_of(model) / "history.json")) + _logged(root, training)
    new = {(point.key, point.step): point for point in points if point.step not in held.get(point.key, ())}
    measured = evidence(root, model)
    scores = _scores(measured, max((point.step for point in points), default=0))
    # What was scored again, on other task files or settings, is the newer point of the same step.
    late = [point for point in scores if run.data.metrics.get(point.key) != point.value]
    send_points(store, run_id, [*new.values(), *late])
    for suite, result in measured.items():
        store.client.set_tag(run_id, f"firth.conditions.{suite}", dumps(result.conditions))
    if run.info.status != "FINISHED":
        store.client.set_terminated(run_id, status="FINISHED")
    ended = store.client.get_run(run_id)
    return Reconciled(
        model=model,
        stage=training.stage,
        run_id=run_id,
        experiment_id=store.experiment_id,
        created=created,
        points=len(new) + len(late),
        seconds=_seconds(ended),
        metrics=dict(sorted(ended.data.metrics.items())),
    )


def _seconds(run: Run) -> float | None:
    if RESTORED_TAG in run.data.tags or run.info.end_time is None:
        return None
    return float(run.info.end_time - run.info.start_time) / 1000


def _history(rows: list[Mapping[str, Any]]) -> list[Point]:
    now = time.time_ns() // 1_000_000
    points = []
    for row in rows:
        found = {metric: row.get(name) for name, metric in HISTORY_METRICS.items()}
        look = row.get("heldout") or {}
        found |= {f"heldout/{name}": look.get(name) for name in HELDOUT_METRICS}
        if look:
            found["heldout/mlm_gain"] = look["unigram_loss"] - look["mlm_loss"]
        points += [
            Point(metric, float(value), int(row["step"]), now) for metric, value in found.items() if value is not None
        ]
    return points


def _logged(root: Path, training: Training) -> list[Point]:
    """What this clone's own training wrote down, with rates that `history.json` does not hold."""
    now = time.time_ns() // 1_000_000
    lines = MetricsLog(run_folder(training.stage, training.fingerprint, root)).read()
    return [Point(key, float(value), line["step"], now) for line in lines for key, value in line["metrics"].items()]


def _scores(measured: Mapping[str, Measured], step: int) -> list[Point]:
    now = time.time_ns() // 1_000_000
    return [
        Point(result.metric, float(result.score), step, now)
        for suite, result in measured.items()
        if result.score is not None and suite != MLM  # the history has it
    ]
