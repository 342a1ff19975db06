"""What a model answered example by example, kept with its version; and whether another's gain is more than noise.

Two things make a score of a task noisy: which examples happen to be asked, and which seed the head was trained with.
Both are drawn again. A resample takes as many dev examples, with replacement, the same of both models (the paired
bootstrap of Efron and Tibshirani, 1993, as of Berg-Kirkpatrick et al., 2012), and scores what the median seed of each
answered; to the difference it adds how far a seed of each model, drawn at random, lies from that median.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firth.canonical import dumps, read_json
from firth.errors import DataError, IntegrityError
from firth.registry.gate import Noise
from firth.tasks.bootstrap import resampled
from firth.tasks.examples.files import load
from firth.tasks.usages.problems import problem_of
from firth.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

RESAMPLES = 10_000
SEED = 1


@dataclass(frozen=True)
class Singles:
    """One model's answers to the dev side of `task`, by example, of its median seed; and the scores of all seeds."""

    task: str
    dev: str
    """sha256 of the dev side."""
    seeds: Sequence[float]
    predicted: Mapping[str, Any]

    @classmethod
    def of(cls, results: Mapping[str, Any], system: str, records: Sequence[Mapping[str, Any]]) -> Singles:
        """Of what was scored: a task's results and the prediction records of `system`."""
        (found,) = (item for item in results["systems"] if item["system"] == system)
        answers = {record["id"]: record["predicted"] for record in records}
        return cls(results["task"], results["digests"]["dev"], tuple(found["seeds"]), answers)

    @classmethod
    def of_stage(cls, root: Path, task: str, model: str, mode: str) -> Singles:
        """Of what the stage `tasks@TASK` left in the project folder `root`.

        Raises:
            DataError: it left no predictions.
        """
        folder = root / "data" / "tasks" / task
        system = model if mode == "frozen" else f"{model}-{mode}"
        path = folder / f"predictions-{system}.jsonl"
        if not path.is_file():
            raise DataError(f"missing; run the stage tasks@{task} first", path)
        lines = path.read_text(encoding="utf-8").split("\n")
        return cls.of(read_json(folder / "results.json"), system, [json.loads(line) for line in lines if line])


def keep(store: Store, version: ModelVersion, singles: Singles) -> None:
    """Store `singles` on the run of `version`."""
    store.client.log_text(str(version.run_id), dumps(asdict(singles)), _path(version, singles.task))


def kept(store: Store, version: ModelVersion, task: str) -> Singles | None:
    """What was stored of `version`; None where nothing was."""
    path = _path(version, task)
    folder = path.rpartition("/")[0]
    if path not in [item.path for item in store.client.list_artifacts(str(version.run_id), folder)]:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        tree = read_json(Path(store.client.download_artifacts(str(version.run_id), path, scratch)))
    try:
        return Singles(**tree)
    except TypeError as error:
        raise IntegrityError(f"{version.name} version {version.version}: {path} is no record of answers") from error


def noise_of_gain(root: Path, challenger: Singles, champion: Singles, min_gain: float) -> Noise:
    """In what share of resamples `challenger` gains, by `min_gain` at least; on the task's examples in `root`.

    Raises:
        DataError: one of them has not answered these very examples.
    """
    folder = root / "data" / "examples" / challenger.task
    examples = load(folder)
    dev = examples.manifest["files"]["dev.jsonl"]["sha256"]
    if not dev == challenger.dev == champion.dev:
        raise DataError("not the examples that both models have answered; run the stages examples and tasks", folder)
    problem, metric = problem_of(examples), examples.manifest["metric"]
    ours, theirs = (
        problem.measures([singles.predicted[example["id"]] for example in examples.dev])[metric]
        for singles in (challenger, champion)
    )
    gains = np.concatenate(
        [ours.under(weights) - theirs.under(weights) for weights in resampled(len(examples.dev), RESAMPLES, SEED)]
    )
    rng = np.random.default_rng(SEED)
    gains += rng.choice(_deviations(challenger), RESAMPLES) - rng.choice(_deviations(champion), RESAMPLES)
    better = gains >= min_gain if min_gain > 0 else gains > 0
    return Noise(round(float(better.mean()), 4), RESAMPLES)


def _deviations(singles: Singles) -> list[float]:
    """Of each seed's score from the median's, whose answers are kept."""
    median = statistics.median_low(singles.seeds)
    return [score - median for score in singles.seeds]


def _path(version: ModelVersion, task: str) -> str:
    return f"evidence/{version.name}-v{version.version}/{task}.json"
