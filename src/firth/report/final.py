"""The final page: the stage's page with what only the flow knows, written beside the clone's private state."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from firth.canonical import read_json, write_atomic
from firth.errors import DataError
from firth.lockfile import read_lock
from firth.progress import duration
from firth.project import state_folder
from firth.report.inputs import MODEL_LABELS
from firth.report.page import render as render_page

PACKAGES = (
    "torch", "numpy", "numba", "lightning", "tokenizers", "safetensors", "dvc", "mlflow", "prefect",
    "great-expectations", "scikit-learn",
)  # fmt: skip
NUMBERS = ("suite", "challenger", "low", "high", "champion", "minimum", "max_loss", "covered", "total", "other")
VERDICTS = ("promoted", "pending", "refused", "unchanged")


def render(
    root: Path,
    *,
    runs: Sequence[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, Any]],
    commit: str,
    evaluations: Sequence[Mapping[str, Any]] = (),
    dirty: bool = False,
    seconds: float | None = None,
    flow_run: str | None = None,
    page: Path | None = None,
    data: Path | None = None,
) -> Path:
    """Write `page` (default: `.firth/report/index.html`) and return its path.

    Args:
        root: The project folder; its `data/report/report.json` must exist, its `dvc.lock` is listed if it does.
        runs: MLflow runs, one a training: `{"stage": "word2vec@skipgram", "run_id": "…", "url": "http…" or None,
            "seconds": float or None, "metrics": {name: float}}`; only `stage` and `run_id` must be there. `server`
            and `experiment_id` together stand for a `url`.
        decisions: Promotion decisions, one a model: `{"model": "skipgram", "verdict": "promoted" | "pending" |
            "refused" | "unchanged", "reasons": [str], "version": str or None, "champion": str or None, "numbers":
            [{"suite", "challenger", "low", "high", "champion", "minimum", "max_loss", "covered", "total"}]}`, where
            `champion` is the version that holds the alias afterwards; only `model` and `verdict` must be there, other
            keys are left alone. `firth.registry`'s decisions as JSON are of this shape.
        commit: The git commit the run's code and parameters come from.
        evaluations: MLflow runs, one a row of a task's table: `{"task": "boolq", "system": "bert-finetuned", "run_id":
            "…", "url": "http…" or None}`, with an address as that of `runs`.
        dirty: Whether uncommitted changes were part of the run.
        seconds: How long the pipeline took.
        flow_run: Name or id of the orchestrator's run.
        page: Where to write; a run that is not brought to the clone has a page of its own.
        data: The folder that the page's links point into, default `data` of `root`; `root` may be gone tomorrow.

    Raises:
        IntegrityError: `report.json` is missing or torn, or `dvc.lock` is torn.
        DataError: A run's address is neither http nor https, or a verdict is unknown.
    """
    report = read_json(root / "data" / "report" / "report.json")
    page = page or state_folder(root) / "report" / "index.html"
    run = {
        "runs": [_run(one) for one in runs],
        "evaluations": [{"task": one["task"], "system": one["system"], **_link(one)} for one in evaluations],
        "decisions": [_decision(one) for one in decisions],
        "commit": commit,
        "dirty": dirty,
        "seconds": seconds,
        "took": None if seconds is None else duration(seconds),
        "flow_run": flow_run,
        "outputs": [
            {"stage": stage, "path": path, "md5": md5}
            for stage, locked in read_lock(root).items()
            for path, md5 in locked.outputs.items()
        ],
        "packages": _packages(),
    }
    links = Path(os.path.relpath((data or root / "data").resolve(), page.parent)).as_posix()
    write_atomic(page, render_page(report, data=links, run=run).encode())
    return page


def _link(one: Mapping[str, Any]) -> dict[str, Any]:
    url = one.get("url")
    if url is None and one.get("server") and one.get("experiment_id"):
        url = f"{str(one['server']).rstrip('/')}/#/experiments/{one['experiment_id']}/runs/{one['run_id']}"
    if url is not None and urlsplit(url).scheme not in ("http", "https"):
        raise DataError(f"the address of run {one['run_id']} is {url!r}; expected http or https")
    return {"run_id": one["run_id"], "url": url}


def _run(one: Mapping[str, Any]) -> dict[str, Any]:
    seconds = one.get("seconds")
    return {
        "stage": one["stage"],
        **_link(one),
        "took": "–" if seconds is None else duration(seconds),
        "metrics": {name: f"{value:.4g}" for name, value in sorted(one.get("metrics", {}).items())},
    }


def _decision(one: Mapping[str, Any]) -> dict[str, Any]:
    if one["verdict"] not in VERDICTS:
        raise DataError(f"verdict {one['verdict']!r} on {one['model']}; there are: {', '.join(VERDICTS)}")
    return {
        "model": one["model"],
        "label": MODEL_LABELS.get(one["model"], one["model"]),
        "verdict": one["verdict"],
        "reasons": [str(reason) for reason in one.get("reasons", [])],
        "version": one.get("version"),
        "champion": one.get("champion"),
        "numbers": [{key: row.get(key) for key in NUMBERS} for row in one.get("numbers", [])],
    }


def _packages() -> dict[str, str]:
    """Versions of the installed packages that results or records depend on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
