"""Registered versions: the same vectors are one version; its tags hold the digests and the scores."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from firth.canonical import file_sha256
from firth.errors import DataError, FirthError, IntegrityError
from firth.registry.gate import Scores
from firth.tracking.lineage import read_provenance, registered_name, resolve
from firth.tracking.provenance import output_hash, read_lock
from firth.tracking.reconcile import evaluation, training_of
from firth.tracking.runs import find_run
from firth.tracking.store import Store, open_store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

MODEL_FILE = Path(__file__).parent / "pyfunc_vectors.py"
VECTORS_TAG = "firth.vectors_sha256"
SCORES_TAG = "firth.scores"
VERDICT_TAG = "firth.verdict"
REASONS_TAG = "firth.reasons"
ROLLED_BACK_TAG = "firth.rolled_back"
VERSIONS_TAG = "mlflow.modelVersions"
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
ALIASES = (
    "Word vectors. `@champion`: promoted by the gate, to be used. `@previous`: the champion before, for a rollback. "
    "`@challenger`: the version that the gate decided about last. Why is on each version's page."
)
"""What MLflow's page of a model says."""


@dataclass(frozen=True)
class Candidate:
    """What lies in `data/vectors/<model>`, with its evidence."""

    model: str
    name: str
    run_id: str
    fingerprint: str
    params: Mapping[str, Any]
    vectors_sha256: str
    dvc_hash: str | None
    scores: Scores
    provenance: Mapping[str, Any]

    @classmethod
    def read(cls, store: Store, root: Path, model: str) -> Candidate:
        """Gather it; `DataError` where the vectors or their scores are missing. The run must be reconciled."""
        folder = root / "data" / "vectors" / model
        if not (folder / "vectors.safetensors").is_file():
            raise DataError(f"no trained vectors; run the stage word2vec@{model} first", folder)
        scored = evaluation(root, model)
        if scored is None:
            raise DataError("these vectors have no scores; run the stage word-tasks first", folder)
        training = training_of(root, model)
        run = find_run(store, training.fingerprint)
        if run is None:
            raise FirthError(f"{store.uri} has no run of {training.name}; reconcile first")
        record = read_provenance(store, run.info.run_id)
        return cls(
            model=model,
            name=registered_name(model),
            run_id=run.info.run_id,
            fingerprint=training.fingerprint,
            params=training.params,
            vectors_sha256=file_sha256(folder / "vectors.safetensors"),
            dvc_hash=output_hash(read_lock(root), f"data/vectors/{model}"),
            scores=Scores(
                suites={suite: _plain(part) for suite, part in scored["suites"].items()},
                conditions=scored["conditions"],
                validation={name: bool(item["success"]) for name, item in record["validation"].items()},
            ),
            provenance=record,
        )


def all_versions(store: Store, name: str) -> list[ModelVersion]:
    """All versions of `name`, newest first; none where it is not registered. Aliases are not filled in by MLflow."""
    versions: list[ModelVersion] = []
    token = None
    while True:
        page = store.client.search_model_versions(f"name='{name}'", max_results=200, page_token=token)
        versions += page
        token = page.token
        if not token:
            return sorted(versions, key=lambda item: int(item.version), reverse=True)


def by_alias(store: Store, name: str, alias: str) -> ModelVersion | None:
    """The version behind an alias, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return store.client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def pyfunc() -> ModuleType:
    """`mlflow.pyfunc`, without what its import warns of: types in MLflow's own classes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType", category=UserWarning)
        return importlib.import_module("mlflow.pyfunc")


def register(store: Store, root: Path, candidate: Candidate) -> ModelVersion:
    """The version of `candidate`: an existing one of the same vectors, else a new one, logged on its training's run."""
    import mlflow
    from mlflow.exceptions import MlflowException

    scores = scores_tag(candidate.scores)
    for version in all_versions(store, candidate.name):
        if version.tags.get(VECTORS_TAG) == candidate.vectors_sha256:
            if version.tags.get(SCORES_TAG) != scores:
                store.client.set_model_version_tag(candidate.name, version.version, SCORES_TAG, scores)
            return version
    try:
        store.client.create_registered_model(candidate.name, description=ALIASES)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {
        VECTORS_TAG: candidate.vectors_sha256,
        SCORES_TAG: scores,
        "firth.fingerprint": candidate.fingerprint,
        "firth.dvc.vectors": candidate.dvc_hash or "unknown",
    }
    training = store.client.get_run(candidate.run_id).info
    with mlflow.start_run(run_id=candidate.run_id, log_system_metrics=False), warnings.catch_warnings():
        # The signature is explicit; with pandas 3, reading an example back warns inside MLflow.
        warnings.filterwarnings("ignore", message=".*An input example was not provided", category=UserWarning)
        info = pyfunc().log_model(
            name=candidate.name,
            python_model=str(MODEL_FILE),
            artifacts={"vectors": str(root / "data" / "vectors" / candidate.model)},
            signature=_signature(),
            pip_requirements=[
                f"{package}=={package_version(package)}" for package in ("mlflow", "numpy", "pandas", "safetensors")
            ],
        )
    # MLflow has ended the run a second time: its duration is to be the training's.
    store.client.set_terminated(candidate.run_id, training.status, training.end_time)
    created = store.client.create_model_version(
        candidate.name, info.model_uri, run_id=candidate.run_id, tags=tags, model_id=info.model_id
    )
    if VERSIONS_TAG not in store.client.get_logged_model(info.model_id).tags:
        # A server notes this by itself, a bare database does not; MLflow's list of runs shows versions by it.
        noted = json.dumps([{"name": candidate.name, "version": int(created.version)}])
        store.client.set_logged_model_tags(info.model_id, {VERSIONS_TAG: noted})
    return created


def load_checked(name: str, version: ModelVersion) -> Any:
    """The pyfunc object of a version (it has `words` and `matrix`), its weights compared with the registered sha256."""
    folder, _ = _stored(name, version)
    return pyfunc().load_model(str(folder)).unwrap_python_model()


def fetch_vectors(address: str, root: Path | None = None) -> Path:
    """A folder with `vectors.safetensors` and `vocabulary.tsv` of `NAME@alias` or `NAME/version`, checked."""
    version = resolve(open_store(root), address)
    return _stored(version.name, version)[1]


def _stored(name: str, version: ModelVersion) -> tuple[Path, Path]:
    """The model's folder and, in it, that of its vectors; `IntegrityError` where the weights are others."""
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{name}/{version.version}"))
    weights = sorted(folder.glob("artifacts/**/vectors.safetensors"))
    if len(weights) != 1 or file_sha256(weights[0]) != version.tags.get(VECTORS_TAG):
        raise IntegrityError(f"{name} version {version.version}: the stored weights are not those that were registered")
    return folder, weights[0].parent


def scores_tag(scores: Scores) -> str:
    """`Scores` as the text of a tag."""
    return json.dumps(
        {
            "suites": dict(scores.suites),
            "conditions": dict(scores.conditions),
            "validation": dict(scores.validation),
        },
        sort_keys=True,
    )


def scores_of(version: ModelVersion) -> Scores:
    """What `scores_tag` wrote; `FirthError` for a version that something else registered."""
    if SCORES_TAG not in version.tags:
        raise FirthError(f"{version.name} version {version.version} has no tag {SCORES_TAG}: not registered by Firth")
    tree = json.loads(version.tags[SCORES_TAG])
    return Scores(tree["suites"], tree["conditions"], tree["validation"])


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: part.get(key) for key in ("score", "low", "high", "covered", "total")}


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "word")]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "word"),
                ColSpec(DataType.boolean, "known"),
                ColSpec(Array(DataType.string), "neighbours", required=False),
                ColSpec(Array(DataType.double), "similarities", required=False),
                ColSpec(Array(DataType.double), "vector", required=False),
            ]
        ),
        params=ParamSchema(
            [
                ParamSpec("task", DataType.string, "neighbours"),
                ParamSpec("topn", DataType.long, 10),
            ]
        ),
    )
