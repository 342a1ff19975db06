"""Registered versions: the same weights are one version; its tags hold the digests and the scores."""

from __future__ import annotations

import importlib
import json
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from firth.canonical import file_sha256, folder_sha256
from firth.errors import FirthError, IntegrityError
from firth.registry.candidate import Candidate
from firth.registry.gate import Scores
from firth.registry.logged import copy_code, form_of, weights_in
from firth.tracking.lineage import OUTPUTS_TAG, WEIGHTS_TAG, registered_name, resolve, weights_of
from firth.tracking.store import Store, open_store, quiet
from firth.tracking.trained import MODELS, WORD_MODELS

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

FOLDER_TAG = "firth.folder_sha256"
SCORES_TAG = "firth.scores"
VERDICT_TAG = "firth.verdict"
REASONS_TAG = "firth.reasons"
ROLLED_BACK_TAG = "firth.rolled_back"
NOT_APPROVED_TAG = "firth.not_approved"
VERSIONS_TAG = "mlflow.modelVersions"
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"


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


def register(store: Store, candidate: Candidate) -> ModelVersion:
    """The version of `candidate`: an existing one of the same weights, else a new one, logged on its training's run."""
    from mlflow.exceptions import MlflowException

    scores = scores_tag(candidate.scores)
    for version in all_versions(store, candidate.name):
        if weights_of(version) == candidate.weights_sha256:
            if version.tags.get(SCORES_TAG) != scores:
                store.client.set_model_version_tag(candidate.name, version.version, SCORES_TAG, scores)
            return version
    try:
        store.client.create_registered_model(candidate.name, description=form_of(candidate.model).description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {
        WEIGHTS_TAG: candidate.weights_sha256,
        FOLDER_TAG: folder_sha256(candidate.folder),
        SCORES_TAG: scores,
        "firth.fingerprint": candidate.fingerprint,
        OUTPUTS_TAG: json.dumps(dict(candidate.outputs), sort_keys=True),
    }
    info = _log(store, candidate)
    with quiet():
        created = store.client.create_model_version(
            candidate.name, info.model_uri, run_id=candidate.run_id, tags=tags, model_id=info.model_id
        )
    first = [version for version in all_versions(store, candidate.name) if weights_of(version) == weights_of(created)][
        -1
    ]
    if first.version != created.version:  # another clone registered them meanwhile
        store.client.delete_model_version(candidate.name, created.version)
        return first
    if VERSIONS_TAG not in store.client.get_logged_model(info.model_id).tags:
        # A server notes this by itself, a bare database does not; MLflow's list of runs shows versions by it.
        noted = json.dumps([{"name": candidate.name, "version": int(created.version)}])
        store.client.set_logged_model_tags(info.model_id, {VERSIONS_TAG: noted})
    return created


def _log(store: Store, candidate: Candidate) -> Any:
    """Store the model on its training's run."""
    import mlflow

    form = form_of(candidate.model)
    training = store.client.get_run(candidate.run_id).info
    with (
        tempfile.TemporaryDirectory() as folder,
        mlflow.start_run(run_id=candidate.run_id, log_system_metrics=False),
        warnings.catch_warnings(),
        quiet(),
    ):
        # With pandas 3, writing an example and reading it back warns inside MLflow.
        warnings.simplefilter("ignore")
        info = pyfunc().log_model(
            name=candidate.name,
            python_model=str(form.module),
            artifacts={form.artifact: str(candidate.folder)},
            code_paths=[str(copy_code(Path(folder)))] if form.with_code else None,
            signature=form.signature(),
            input_example=form.example(),
            model_config=form.limits(),
            pip_requirements=form.requirements(),
        )
    # MLflow has ended the run a second time: its duration is to be the training's.
    store.client.set_terminated(candidate.run_id, training.status, training.end_time)
    return info


@contextmanager
def not_deleted(*versions: ModelVersion | None, command: str = "firth promote") -> Iterator[None]:
    """Turns MLflow's error about one of `versions`, which somebody deleted under `command`, into one that says so."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        for version in versions:
            if version is not None and re.search(rf"\bversion={version.version}\b.* not found", str(error)):
                raise FirthError(
                    f"{version.name} version {version.version} was deleted from the registry while {command} worked "
                    f"with it; @champion was not moved. Run {command} again"
                ) from None
        raise


def load_checked(name: str, version: ModelVersion) -> Any:
    """The model of a version, its files compared with what was registered.

    For word vectors the pyfunc object (it has `words` and `matrix`), for BERT a `firth.bert.folder.Bert`.
    """
    folder, own = _stored(name, version)
    if model_of(name) in WORD_MODELS:
        return pyfunc().load_model(str(folder)).unwrap_python_model()
    from firth.encode.load import load_model

    return load_model(own)


def fetch_folder(name: str, version: ModelVersion) -> Path:
    """The folder of a version as its stage wrote it, checked."""
    return _stored(name, version)[1]


def fetch_vectors(address: str, root: Path | None = None) -> Path:
    """A folder with `vectors.safetensors` and `vocabulary.tsv` of `NAME@alias` or `NAME/version`, checked."""
    return _fetch(address, root, vectors=True)


def fetch_model(address: str, root: Path | None = None) -> Path:
    """A model folder, as `firth.encode.load.load_model` takes it, of a BERT's `NAME@alias` or `NAME/version`, checked.

    Raises:
        FirthError: there is no such version, or it holds word vectors.
        IntegrityError: the stored files are not those that were registered.
    """
    return _fetch(address, root, vectors=False)


def model_of(name: str) -> str:
    """The model that is registered under `name`; `FirthError` where Firth registers none of that name."""
    for model in MODELS:
        if registered_name(model) == name:
            return model
    raise FirthError(f"{name} is no model of Firth; there are: {', '.join(map(registered_name, MODELS))}")


def _fetch(address: str, root: Path | None, vectors: bool) -> Path:
    version = resolve(open_store(root), address)
    if (model_of(version.name) in WORD_MODELS) != vectors:
        held = "a BERT, not word vectors" if vectors else "word vectors, not a BERT"
        raise FirthError(f"{address} holds {held}")
    return _stored(version.name, version)[1]


def _stored(name: str, version: ModelVersion) -> tuple[Path, Path]:
    """The MLflow model's folder and, in it, our own; `IntegrityError` where its files are others."""
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{name}/{version.version}"))
    weights = weights_in(folder, model_of(name))
    if len(weights) != 1 or file_sha256(weights[0]) != weights_of(version):
        raise IntegrityError(f"{name} version {version.version}: the stored weights are not those that were registered")
    own = weights[0].parent
    if version.tags.get(FOLDER_TAG) not in (None, folder_sha256(own)):  # the first versions have no such tag
        raise IntegrityError(f"{name} version {version.version}: the stored files are not those that were registered")
    return folder, own


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
    """What `scores_tag` wrote; `FirthError` for a version that something else registered.

    The first versions have one set of conditions for all suites: they are taken as measured under others.
    """
    if SCORES_TAG not in version.tags:
        raise FirthError(f"{version.name} version {version.version} has no tag {SCORES_TAG}: not registered by Firth")
    tree = json.loads(version.tags[SCORES_TAG])
    conditions = {suite: found for suite, found in tree["conditions"].items() if isinstance(found, Mapping)}
    return Scores(tree["suites"], conditions, tree["validation"])
