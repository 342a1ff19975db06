"""What lies in a project folder and may become a champion: a trained model with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firth.config.evaluation import GateModel, Policy
from firth.errors import DataError, FirthError
from firth.lockfile import read_lock
from firth.registry.gate import Scores
from firth.tracking.evidence import evidence, stage_that_measures
from firth.tracking.lineage import WEIGHTS_TAG, read_provenance, registered_name
from firth.tracking.runs import find_run
from firth.tracking.store import Store
from firth.tracking.trained import output_of, stage_of, training_of, weights_sha256


@dataclass(frozen=True)
class Candidate:
    """The model in `folder`, such as `data/vectors/skipgram` or `data/models/bert`."""

    model: GateModel
    name: str
    folder: Path
    run_id: str
    fingerprint: str
    params: Mapping[str, Any]
    weights_sha256: str
    outputs: Mapping[str, str]
    """What its stage wrote: DVC's hash by path; empty where there is no dvc.lock."""
    scores: Scores
    provenance: Mapping[str, Any]
    """As its training recorded it; of one that went on from another model `corpora` also has that one's."""

    @classmethod
    def read(cls, store: Store, root: Path, model: GateModel, policy: Policy) -> Candidate:
        """Gather it; `DataError` where the model, or a score that `policy` asks for, is missing.

        The run must be reconciled.
        """
        folder = root / output_of(model)
        weights = weights_sha256(root, model)
        if weights is None:
            raise DataError(f"no trained model; run the stage {stage_of(model)} first", folder)
        measured = evidence(root, model)
        for suite in policy.suites:
            if suite not in measured:
                stage = stage_that_measures(suite, model)
                raise DataError(f"these weights have no score on {suite}; run the stage {stage} first", folder)
        training = training_of(root, model)
        run = find_run(store, training.fingerprint)
        if run is None:
            raise FirthError(f"{store.uri} has no run of {training.name}; reconcile first")
        record = read_provenance(store, run.info.run_id)
        locked = read_lock(root).get(stage_of(model))
        record["corpora"] |= _earlier_corpora(store, registered_name(model), record.get("init_sha256"))
        return cls(
            model=model,
            name=registered_name(model),
            folder=folder,
            run_id=run.info.run_id,
            fingerprint=training.fingerprint,
            params=training.params,
            weights_sha256=weights,
            outputs={} if locked is None else locked.outputs,
            scores=Scores(
                suites={suite: result.part() for suite, result in measured.items()},
                conditions={suite: dict(result.conditions) for suite, result in measured.items()},
                validation={name: bool(item["success"]) for name, item in record["validation"].items()},
            ),
            provenance=record,
        )


def _earlier_corpora(store: Store, name: str, init_sha256: str | None) -> dict[str, dict[str, Any]]:
    """What the model with these weights was trained on, as far as the registry knows it; and the one before that."""
    if init_sha256 is None:
        return {}
    asked = f"name='{name}' and tags.`{WEIGHTS_TAG}`='{init_sha256}'"
    for version in store.client.search_model_versions(asked, max_results=1):
        with suppress(FirthError):  # somebody deleted its run
            record = read_provenance(store, str(version.run_id))
            before = f"before, as {name} version {version.version}"
            own = {f"{corpus} ({before})": source for corpus, source in record["corpora"].items()}
            return own | _earlier_corpora(store, name, record.get("init_sha256"))
    return {
        "before": {
            "attribution": "what the model that it went on from had read is not known here",
            "licence": "unknown, of its text and its weights; ask who published it",
        }
    }
