"""`tasks@<task>`: score the encoders on one task, side by side."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from firth.canonical import write_atomic, write_json
from firth.config import load_params
from firth.errors import FirthError
from firth.project import kept_folder
from firth.stages.run import run_stage
from firth.tasks.encoders.sources import configured
from firth.tasks.evaluation.cells import Cells
from firth.tasks.evaluation.score import score_task, summary
from firth.tasks.examples.files import load
from firth.tracking.evaluations import record

VECTORS = Path("data/vectors")
BERT = Path("data/models/bert")


def main(argv: list[str]) -> None:
    """Write `results.json` and `predictions-<system>.jsonl` of the task that is named; each system is an MLflow run."""
    began = time.time()
    if len(argv) != 1:
        raise FirthError(f"say which task: python -m firth.stages.tasks NAME; found {' '.join(argv) or 'nothing'}")
    params = load_params(Path("params.yaml"))
    task = argv[0]
    if task not in params.tasks:
        raise FirthError(f"no task {task!r} in params.yaml; there are: {', '.join(params.tasks) or 'none'}")
    settings = params.evaluation
    encoders = configured(settings, VECTORS, BERT)
    scored = score_task(load(Path("data/examples") / task), encoders, settings, Cells(kept_folder("cells")))
    output = Path("data/tasks") / task
    shutil.rmtree(output, ignore_errors=True)
    for system in scored.predictions:
        write_atomic(output / f"predictions-{system}.jsonl", "".join(scored.prediction_lines(system)).encode())
    write_json(output / "results.json", scored.results)
    metric = f"{task}/{scored.results['metric']}"
    write_json(
        Path("data/metrics") / f"tasks-{task}.json",
        {system["system"]: {metric: system["score"]} for system in scored.results["systems"]},
    )
    print(f"{task}, {scored.results['metric']} over {scored.results['examples']['dev']} examples:")
    print("\n".join(summary(scored.results)), flush=True)
    record(scored.results, Path.cwd(), began)


if __name__ == "__main__":
    run_stage(main)
