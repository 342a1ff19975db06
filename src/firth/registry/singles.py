"""What a model answered example by example, kept with its version."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth.canonical import dumps, read_json
from firth.errors import DataError, IntegrityError
from firth.tracking.evidence import counted_seeds, system_of
from firth.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class Singles:
    """One model's answers to the dev side of `task`, by example, of its median seed; and the scores of all seeds.

    Of a suite of words: by the place in the suite's file, whose sha256 `dev` is. Of held-out text: by instance, the
    summed loss and the number of its words; `dev` is the digest of what two scores must have in common.
    """

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
        return cls(results["task"], results["digests"]["dev"], tuple(counted_seeds(found)), answers)

    @classmethod
    def of_stage(cls, root: Path, task: str, model: str, mode: str) -> Singles:
        """Of what the stage `tasks@TASK` left in the project folder `root`.

        Raises:
            DataError: it left no predictions.
        """
        folder = root / "data" / "tasks" / task
        system = system_of(model, mode)
        path = folder / f"predictions-{system}.jsonl"
        if not path.is_file():
            raise DataError(f"missing; run the stage tasks@{task} first", path)
        lines = path.read_text(encoding="utf-8").split("\n")
        return cls.of(read_json(folder / "results.json"), system, [json.loads(line) for line in lines if line])


def in_order(singles: Singles) -> list[Any]:
    """Answers whose ids are places, from 0 on: what is kept comes back in the order of its text, 10 before 2."""
    return [singles.predicted[str(place)] for place in range(len(singles.predicted))]


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


def _path(version: ModelVersion, task: str) -> str:
    return f"evidence/{version.name}-v{version.version}/{task}.json"
