"""The records of what was decided about a version: numbered, none replaces another; and what its page says of it.

They lie on the version's run, `promotion/NAME-vN-001.json` and on; the first versions have one, without a number.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth.canonical import dumps, read_json
from firth.registry.versions import NOT_APPROVED_TAG, REASONS_TAG, VERDICT_TAG
from firth.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

FOLDER = "promotion"
ROLLBACK = "rollback"


def keep(store: Store, version: ModelVersion, record: Mapping[str, Any], kind: str = "") -> str:
    """Store `record` behind those of its kind ("", rollback) that the version has; where."""
    number = max(_numbers(store, version, kind), default=0) + 1
    path = _path(version, kind, number)
    store.client.log_text(str(version.run_id), dumps(record), path)
    return path


def newest(store: Store, version: ModelVersion) -> dict[str, Any] | None:
    """The last decision about `version`; None where there is none."""
    numbers = _numbers(store, version)
    return _read(store, version, _path(version, "", max(numbers))) if numbers else None


def tell(store: Store, name: str, number: str, path: str) -> None:
    """Put what the record at `path` says on the version's tags and its card."""
    version = store.client.get_model_version(name, number)
    if path in [item.path for item in store.client.list_artifacts(str(version.run_id), FOLDER)]:
        record = _read(store, version, path)
        say(store, version, record["verdict"], record["reasons"])
    else:
        say(store, version, "promoted", [f"its record {path} is gone"])


def say(store: Store, version: ModelVersion, verdict: str, reasons: Sequence[str]) -> None:
    """Put a verdict on a version's tags and its card."""
    name, number = version.name, version.version
    store.client.set_model_version_tag(name, number, REASONS_TAG, "; ".join(reasons))
    store.client.set_model_version_tag(name, number, VERDICT_TAG, verdict)
    if verdict == "promoted" and NOT_APPROVED_TAG in version.tags:
        store.client.delete_model_version_tag(name, number, NOT_APPROVED_TAG)
    card, _, limits = str(version.description or "").partition("**Decision**")
    lines = [f"**Decision**: {verdict}", *(f"- {one}" for one in reasons), ""]
    _, found, rest = limits.partition("**Limits**")
    store.client.update_model_version(name, number, description=card + "\n".join(lines) + "\n" + found + rest)


def _numbers(store: Store, version: ModelVersion, kind: str = "") -> list[int]:
    stem = re.escape(_stem(version, kind))
    found = (
        re.fullmatch(rf"{stem}(?:-(\d+))?\.json", item.path)
        for item in store.client.list_artifacts(str(version.run_id), FOLDER)
    )
    return [int(match[1] or 0) for match in found if match]


def _stem(version: ModelVersion, kind: str) -> str:
    return f"{FOLDER}/{version.name}-v{version.version}" + (f"-{kind}" if kind else "")


def _path(version: ModelVersion, kind: str, number: int) -> str:
    return _stem(version, kind) + (f"-{number:03}" if number else "") + ".json"


def _read(store: Store, version: ModelVersion, path: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        record: dict[str, Any] = read_json(Path(store.client.download_artifacts(str(version.run_id), path, folder)))
    return record
