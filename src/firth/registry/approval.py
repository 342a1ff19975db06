"""A person's word: where the policy asks for it, what the gate would promote waits until somebody approves it.

The gate has decided and left its record on the version; approving it moves the aliases as the gate would have done,
under the same lock, as long as the champion is the one that the decision was taken against.
"""

from __future__ import annotations

import getpass
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from firth.canonical import dumps, read_json
from firth.errors import FirthError
from firth.registry.gate import Verdict
from firth.registry.lock import Held, locked
from firth.registry.versions import (
    CHAMPION,
    NOT_APPROVED_TAG,
    PREVIOUS,
    REASONS_TAG,
    VERDICT_TAG,
    by_alias,
    load_checked,
)
from firth.tracking.lineage import resolve
from firth.tracking.store import Store, open_store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

PENDING: Final = "pending"
WAITS, NOT_APPROVED = "waits for a person", "not approved"
"""How those reasons begin."""


@dataclass(frozen=True)
class Answer:
    """What came of an approval or its refusal: `verdict` is promoted or refused."""

    name: str
    version: str
    verdict: Verdict
    by: str
    reasons: tuple[str, ...]
    champion: str | None
    previous: str | None


def approve(address: str, yes: bool = True, by: str = "", root: Path | None = None) -> Answer:
    """Promote the version that waits at `address`, such as `bert/3` or `bert@challenger`, or with `yes` False do not.

    Who was refused can be approved later, as long as the champion is the same. `by` is who says so; empty: the user of
    this process.

    Raises:
        FirthError: it waits for no approval, or the champion is another by now.
        IntegrityError: the stored files are not those that were registered.
    """
    store = open_store(root)
    version = resolve(store, address)
    name, number = version.name, str(version.version)
    by = by or getpass.getuser()
    record = _record_of(store, version)
    if version.tags.get(VERDICT_TAG) != PENDING and not (yes and NOT_APPROVED_TAG in version.tags):
        raise FirthError(
            f"{name} version {number} waits for no approval: it is {version.tags.get(VERDICT_TAG, 'undecided')}"
        )
    if yes:
        load_checked(name, version)
    with locked(store, name) as lock:
        champion = by_alias(store, name, CHAMPION)
        held = None if champion is None else str(champion.version)
        if yes and held != record["champion_before"]:
            now, then = (f"version {one}" if one else "none" for one in (held, record["champion_before"]))
            raise FirthError(
                f"{name}: the champion is {now}, the decision about version {number} was against {then}; ask the gate "
                f"again: firth promote"
            )
        reasons = _say(store, version, record, yes, by)
        if yes:
            move(store, version, champion, lock)
    afterwards = [by_alias(store, name, alias) for alias in (CHAMPION, PREVIOUS)]
    numbers = [None if one is None else str(one.version) for one in afterwards]
    return Answer(name, number, "promoted" if yes else "refused", by, reasons, *numbers)


def move(store: Store, version: ModelVersion, champion: ModelVersion | None, lock: Held) -> None:
    """Make `version` the champion in place of `champion`, which becomes the previous one."""
    if champion is not None:
        lock.still()
        store.client.set_registered_model_alias(version.name, PREVIOUS, champion.version)
    lock.still()
    store.client.set_registered_model_alias(version.name, CHAMPION, version.version)


def _record_of(store: Store, version: ModelVersion) -> dict[str, Any]:
    path = record_path(version)
    if path not in [item.path for item in store.client.list_artifacts(str(version.run_id), "promotion")]:
        raise FirthError(f"{version.name} version {version.version}: the gate has not decided about it yet")
    with tempfile.TemporaryDirectory() as folder:
        record: dict[str, Any] = read_json(Path(store.client.download_artifacts(str(version.run_id), path, folder)))
    return record


def _say(store: Store, version: ModelVersion, record: dict[str, Any], yes: bool, by: str) -> tuple[str, ...]:
    """The reasons, which are put on record, on the version's tags and on its card, before anything moves."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    name, number = version.name, version.version
    verdict, said = ("promoted", "approved") if yes else ("refused", NOT_APPROVED)
    reason = f"{said} by {by} at {at}"
    reasons = [*(one for one in record["reasons"] if not one.startswith((WAITS, NOT_APPROVED))), reason]
    record |= {"verdict": verdict, "reasons": reasons, "approval": {"approved": yes, "by": by, "at": at}}
    store.client.log_text(str(version.run_id), dumps(record), record_path(version))
    store.client.set_model_version_tag(name, number, REASONS_TAG, "; ".join(reasons))
    store.client.set_model_version_tag(name, number, VERDICT_TAG, verdict)
    if yes and NOT_APPROVED_TAG in version.tags:
        store.client.delete_model_version_tag(name, number, NOT_APPROVED_TAG)
    elif not yes:
        store.client.set_model_version_tag(name, number, NOT_APPROVED_TAG, f"by {by} at {at}")
    card, _, limits = str(version.description or "").partition("**Decision**")
    lines = [f"**Decision**: {verdict}", *(f"- {one}" for one in reasons), ""]
    _, found, rest = limits.partition("**Limits**")
    store.client.update_model_version(name, number, description=card + "\n".join(lines) + "\n" + found + rest)
    return tuple(reasons)


def record_path(version: ModelVersion) -> str:
    """Where a version's run keeps the record of the decision about it."""
    return f"promotion/{version.name}-v{version.version}.json"
