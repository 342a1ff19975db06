"""From a model back to its data: alias → version → run → git commit → DVC hashes → validation → sources."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from firth.choices import ModelName
from firth.errors import FirthError, PassingError
from firth.tracking.runs import FINGERPRINT_TAG, PROVENANCE_FILE
from firth.tracking.store import Store, first_line, open_store, reason_of, remedy

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from rich.tree import Tree

WEIGHTS_TAG = "firth.weights_sha256"
OUTPUTS_TAG = "firth.dvc"
CONDITIONS = {
    "file": "task file sha256",
    "restrict_vocabulary": "answered among the most frequent words",
    "tokenizer": "vocabulary sha256",
    "heldout": "held-out text sha256",
    "instances": "held-out instances",
    "length": "tokens in a sequence",
    "short_sequences": "share of short sequences",
    "next_sentence": "next-sentence prediction",
    "masking": "masking",
    "dev": "dev examples sha256",
    "train": "training examples sha256",
    "settings": "evaluation settings sha256",
    "metric": "metric",
    "mode": "mode",
}
"""What makes two scores comparable, in words."""

ADDRESS = re.compile(r"(?P<name>[\w.-]+)(?:@(?P<alias>[\w-]+)|/(?P<version>\d+))$")


@dataclass(frozen=True)
class Lineage:
    """Where one registered version comes from. `stages`, `validation`, `corpora` as in `provenance`."""

    name: str
    version: str
    aliases: list[str]
    run_id: str
    run_name: str
    fingerprint: str
    flow_run_id: str | None
    commit: str
    dirty: bool
    weights_sha256: str
    stages: dict[str, dict[str, str]]
    validation: dict[str, dict[str, Any]]
    corpora: dict[str, dict[str, Any]]
    scores: dict[str, Any]
    verdict: str | None
    conditions: dict[str, dict[str, Any]] = field(default_factory=dict)
    init_sha256: str | None = None

    def data(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    def render(self) -> Tree:
        """As a tree for the terminal."""
        from rich.tree import Tree

        alias = "".join(f" @{name}" for name in self.aliases)
        top = Tree(f"{self.name}{alias}")
        version = top.add(f"version {self.version}" + (f", {self.verdict}" if self.verdict else ""))
        version.add(f"weights sha256 {self.weights_sha256}")
        for suite, part in self.scores.items():
            measured = version.add(f"{suite} {_number(part)}")
            for name, value in self.conditions.get(suite, {}).items():
                measured.add(f"{CONDITIONS.get(name, name)}: {_value(value)}")
        run = version.add(f"MLflow run {self.run_id} ({self.run_name})")
        run.add(f"fingerprint {self.fingerprint}")
        if self.init_sha256:
            run.add(f"went on from weights sha256 {self.init_sha256}")
        if self.flow_run_id:
            run.add(f"flow run {self.flow_run_id}")
        commit = run.add(f"git commit {self.commit}" + (" (dirty: with uncommitted changes)" if self.dirty else ""))
        hashes = commit.add("DVC hashes" if self.stages else "no DVC hashes: there was no dvc.lock")
        for stage, outs in self.stages.items():
            for path, digest in outs.items():
                hashes.add(f"{stage}: {path} {digest}")
        validation = commit.add("validation")
        for corpus, result in self.validation.items():
            failed = ", ".join(result["failed"])
            validation.add(f"{corpus}: " + ("passed" if result["success"] else f"failed ({failed})"))
        corpora = commit.add("corpora")
        for corpus, source in self.corpora.items():
            corpora.add(f"{corpus}: {source['attribution']} — {source['licence']}")
        return top


def lineage(address: str, root: Path | None = None) -> Lineage:
    """Walk back from `NAME@alias` or `NAME/version`, such as `word2vec-skipgram@champion` or `bert@champion`."""
    from mlflow.exceptions import MlflowException

    store = open_store(root)
    version = resolve(store, address)
    name, run_id = version.name, str(version.run_id)
    try:
        run = store.client.get_run(run_id)
        aliases = store.client.get_registered_model(name).aliases
    except MlflowException as error:
        raise FirthError(f"the run of {address} is not in {store.uri} ({first_line(error)})") from None
    record = read_provenance(store, run_id)
    tags = run.data.tags
    scores = json.loads(version.tags.get("firth.scores", "{}"))
    return Lineage(
        name=name,
        version=str(version.version),
        aliases=sorted(alias for alias, number in aliases.items() if str(number) == str(version.version)),
        run_id=run_id,
        run_name=run.info.run_name,
        fingerprint=tags.get(FINGERPRINT_TAG, "unknown"),
        flow_run_id=tags.get("firth.flow_run_id"),
        commit=record["git"]["commit"],
        dirty=bool(record["git"]["dirty"]),
        weights_sha256=weights_of(version) or "unknown",
        stages=_with_training(record["stages"], tags.get("firth.stage"), version),
        validation=record["validation"],
        corpora=record["corpora"],
        scores=scores.get("suites", {}),
        verdict=version.tags.get("firth.verdict"),
        conditions=scores.get("conditions", {}),
        init_sha256=record.get("init_sha256"),
    )


def _with_training(
    upstream: dict[str, dict[str, str]], stage: str | None, version: ModelVersion
) -> dict[str, dict[str, str]]:
    """The stages before the training, which were known when it began, and the training's own outputs."""
    own = json.loads(version.tags.get(OUTPUTS_TAG, "{}"))
    return upstream | ({stage: own} if stage and own else {})


def resolve(store: Store, address: str) -> ModelVersion:
    """The version behind `NAME@alias` or `NAME/version`; `skipgram` and `cbow` are short for their full names."""
    from mlflow.exceptions import MlflowException

    match = ADDRESS.match(address)
    if match is None:
        raise FirthError(f"{address!r}: write it as NAME@alias or NAME/version, such as word2vec-skipgram@champion")
    name = registered_name(match["name"])
    try:
        if match["alias"]:
            return store.client.get_model_version_by_alias(name, match["alias"])
        return store.client.get_model_version(name, match["version"])
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise PassingError(f"MLflow at {store.uri}: {reason_of(error)}; {remedy(store.uri)}") from error
        raise FirthError(f"{address} is not registered in {store.uri} ({first_line(error)})") from None


def weights_of(version: ModelVersion) -> str | None:
    """sha256 of a registered version's weights, under its name of today or its first one."""
    tags: dict[str, str] = version.tags
    return tags.get(WEIGHTS_TAG) or tags.get("firth.vectors_sha256")


def registered_name(model: str) -> str:
    """Name in the registry: `word2vec-skipgram` for `skipgram`; `bert` and full names stay as they are."""
    return f"word2vec-{model}" if model in get_args(ModelName) else model


def read_provenance(store: Store, run_id: str) -> dict[str, Any]:
    """The record that was logged on a run when it began."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            path = store.client.download_artifacts(run_id, PROVENANCE_FILE, folder)
        except (MlflowException, OSError) as error:
            raise FirthError(f"run {run_id} has no {PROVENANCE_FILE} ({first_line(error)})") from None
        record: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return record


def _number(part: dict[str, Any]) -> str:
    if part.get("score") is None:
        return "not measured"
    text = f"{part['score']:.4f}"
    if part.get("low") is not None:
        text += f" [{part['low']:.4f}, {part['high']:.4f}]"
    if part["covered"] != part["total"]:
        return f"{text}, {part['covered']:,} of {part['total']:,} covered"
    return f"{text}, on {part['total']:,}" if part["total"] else text


def _value(value: Any) -> str:
    return ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
