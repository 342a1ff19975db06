"""One MLflow run for each row of a task's table: logged once the stage has written it, found again by what it says."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firth.canonical import read_json, value_sha256
from firth.config.load import flatten
from firth.tasks.evaluation.in_words import how_scored
from firth.tracking.provenance import Surroundings
from firth.tracking.runs import FINISH_SECONDS, Training, create_run, describe, find_run
from firth.tracking.sender import Point, send_points
from firth.tracking.store import Store, evaluations_in, first_line, import_mlflow, open_store
from firth.tracking.trained import MODELS, WORD_MODELS, is_trained, output_of

CHOSEN = ("seed", "batch", "learning_rate", "epochs")
"""What `details` says of the training that the score is of."""
SEED_SCORE = "seed_score"
TRAINING_FINGERPRINT_TAG = "firth.training.fingerprint"
TRAINING_RUN_TAG = "firth.training.run_id"


@dataclass(frozen=True)
class Evaluation:
    """A row as a run: what it was made with and from, and what came out."""

    run: Training
    task: str
    system: str
    encoder: str
    points: list[Point]


@dataclass(frozen=True)
class Evaluated:
    """Where the run of a row is."""

    task: str
    system: str
    run_id: str
    experiment_id: str


def record(results: Mapping[str, Any], root: Path, began: float) -> None:
    """Log a run for each system of a `results.json` that lies in `root` and was begun at `began` (seconds since 1970).

    A row that has its run, from an evaluation that came to the same, gets no other. What MLflow does not take within a
    minute is said in one line on stderr; nothing is raised for it.
    """
    found = list(evaluations(results, root))
    problem = ["no answer"]

    def log() -> None:
        try:
            store, surroundings = open_store(root), Surroundings.of(root)
            for evaluation in found:
                _log(store, evaluation, surroundings, round(began * 1000))
            problem.clear()
        except Exception as error:  # a tracker that fails in whatever way must not end an evaluation
            problem[:] = [first_line(error)]

    import_mlflow()
    thread = threading.Thread(target=log, name="mlflow-evaluations", daemon=True)
    thread.start()
    thread.join(FINISH_SECONDS)
    if problem:
        stage = stage_of_task(results["task"])
        print(
            f"warning: MLflow did not take all runs of {stage} ({problem[0]}); "
            f"once it can, this makes them: dvc repro --force --single-item {stage}",
            file=sys.stderr,
            flush=True,
        )


def recorded(root: Path) -> list[Evaluated]:
    """The runs that made the tables of `root`. A row that this store has no finished run of is left out."""
    paths = sorted((root / "data" / "tasks").glob("*/results.json"))
    rows = [row for results in map(read_json, paths) if "systems" in results for row in evaluations(results, root)]
    if not rows:
        return []
    store = evaluations_in(open_store(root))
    runs = [(row, find_run(store, row.run.fingerprint)) for row in rows]
    return [
        Evaluated(row.task, row.system, run.info.run_id, store.experiment_id)
        for row, run in runs
        if run is not None and run.info.status == "FINISHED"
    ]


def evaluations(results: Mapping[str, Any], root: Path) -> Iterator[Evaluation]:
    """The rows of a `results.json`. A fingerprint is of all that its run says: which rows stand beside is no part."""
    task = results["task"]
    for row in results["systems"]:
        encoder, params = row["encoder"], _params(results, row)
        inputs = {f"data/examples/{task}": value_sha256(results["digests"])}
        if encoder in results["weights"]:
            inputs[output_of(encoder)] = results["weights"][encoder]
        stage, title = stage_of_task(task), f"{task}: {row['system']}"
        fingerprint = value_sha256({"stage": stage, "params": params, "inputs": inputs, "row": row})
        run = Training(stage, fingerprint, params, inputs, root, title, "evaluation")
        yield Evaluation(run, task, row["system"], encoder, list(_points(results, row)))


def stage_of_task(task: str) -> str:
    """The stage that scores a task."""
    return f"tasks@{task}"


def _log(store: Store, evaluation: Evaluation, surroundings: Surroundings, began: int) -> None:
    """See to it that a row has its run, whole; repeatable."""
    own, training = evaluations_in(store), evaluation.run
    run = find_run(own, training.fingerprint)
    if run is not None and run.info.status == "FINISHED":
        return
    if run is None:
        tags = {"firth.task": evaluation.task, "firth.system": evaluation.system}
        run = create_run(own, training, tags | _trained(store, evaluation.encoder, training.root), began)
    run_id: str = run.info.run_id
    describe(own, run_id, training, surroundings)
    send_points(own, run_id, evaluation.points)
    own.client.set_terminated(run_id, status="FINISHED")


def _trained(store: Store, encoder: str, root: Path) -> dict[str, str]:
    """Tags that name the training of the encoder, and its run where the store has it."""
    if encoder not in MODELS or not is_trained(root, encoder):
        return {}
    fingerprint = read_json(root / output_of(encoder) / "training.json")["fingerprint"]
    run = find_run(store, fingerprint)
    return {TRAINING_FINGERPRINT_TAG: fingerprint} | ({} if run is None else {TRAINING_RUN_TAG: run.info.run_id})


def _params(results: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that this way to use this encoder reads, by their names below `evaluation`, and what the row says."""
    settings, details = results["settings"], row["details"]
    head = "bilstm" if "-bilstm" in row["system"].removeprefix(row["encoder"]) else "linear"
    params: dict[str, Any] = {
        "task": results["task"],
        "kind": results["kind"],
        "metric": results["metric"],
        "encoder": row["encoder"],
        "mode": row["mode"],
        "head": head,
        "score_of": how_scored(row),
        "examples.train": results["examples"]["train"],
        "examples.dev": results["examples"]["dev"],
        **{f"chosen.{name}": details[name] for name in CHOSEN if name in details},
        **{name: value for name, value in details.items() if name == "learned_from"},
        **{name: value for name, value in row.items() if name == "ensemble_of"},
    }
    read = ["protocol", "seeds", "threads", *_read(row["encoder"], row["mode"], head, settings.get("protocol"))]
    return params | flatten({name: settings[name] for name in read if settings.get(name) is not None})


def _read(encoder: str, mode: str, head: str, protocol: str | None) -> Iterator[str]:
    """Which sections of the settings matter to a row."""
    static, tuned = encoder in WORD_MODELS, mode == "finetuned"
    if head == "bilstm":
        yield "bilstm"
    elif static or not tuned:
        yield "head"
    else:
        yield "finetuning"
        if protocol == "paper":
            yield "grid"
    if tuned or head == "bilstm":
        yield "restarts"
    if static and tuned:
        yield "vectors_learning_rate"
    if not static:
        yield from ("pooling", "layers")
    if encoder == "reference":
        yield "reference"


def _points(results: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Point]:
    """`score` with its interval, measures under their names of everywhere, and each seed's score at that step."""
    now = time.time_ns() // 1_000_000
    details = row["details"]
    found = {name: row[name] for name in ("score", "low", "high")}
    found |= {"majority": results["majority"]["score"], "tie": row["tie_with_majority"]}
    found |= {
        f"{results['task']}/{name}": value
        for name, value in details.items()
        if isinstance(value, float) and name not in CHOSEN
    }
    found |= {name: value for name, value in details.items() if name == "constant"}
    for name, value in found.items():
        yield Point(name, float(value), 0, now)
    for seed, score in _seed_scores(results["settings"]["seeds"], row):
        yield Point(SEED_SCORE, float(score), seed, now)


def _seed_scores(seeds: list[int], row: Mapping[str, Any]) -> Iterator[tuple[int, float]]:
    """Of the trainings with the settings that the score is of, those that ended."""
    if "runs" not in row:
        yield from zip(seeds, row["seeds"], strict=False)  # an ensemble has no seeds of its own
        return
    for run in row["runs"]:
        if run["score"] is not None and all(
            run[name] == row["details"].get(name) for name in CHOSEN[1:] if name in run
        ):
            yield run["seed"], run["score"]
