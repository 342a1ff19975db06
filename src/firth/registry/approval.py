"""A person's word: where the policy asks for it, what the gate would promote waits until somebody approves it.

The gate has decided and left its record on the version; approving it moves the aliases as the gate would have done, as
long as the champion is the one that the decision was taken against. All this is looked at under the lock of promotion:
of two answers at once one counts, and the other is told so.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from firth.errors import FirthError
from firth.registry import verdicts
from firth.registry.gate import Verdict
from firth.registry.moves import look, mend, moving
from firth.registry.outage import accounted
from firth.registry.versions import NOT_APPROVED_TAG, ROLLED_BACK_TAG, VERDICT_TAG, load_checked, not_deleted
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
    record: Mapping[str, Any]


def approve(address: str, yes: bool = True, by: str = "", root: Path | None = None) -> Answer:
    """Promote the version that waits at `address`, such as `bert/3` or `bert@challenger`, or with `yes` False do not.

    Who was refused can be approved later, as long as the champion is the same; so can who was approved and never became
    champion, because the process died. `by` is who says so; empty: the user of this process.

    Raises:
        FirthError: it waits for no approval, or the champion is another by now.
        IntegrityError: the stored files are not those that were registered.
    """
    store = open_store(root)
    with accounted(store, "firth approve") as account:
        found = resolve(store, address)
        name, number = found.name, str(found.version)
        by = by or getpass.getuser()
        broken_off = mend(store, name)
        if yes and broken_off is not None and broken_off.kind == "promotion" and broken_off.to.champion == number:
            record = _record_of(store, found)
            return _answer(store, name, number, record, str(record.get("approval", {}).get("by", by)))
        _check_waits(store, found, yes)
        with not_deleted(found, command="firth approve"):
            if yes:
                load_checked(name, found)
            with moving(store, name) as mover:
                version = store.client.get_model_version(name, number)
                record = _check_waits(store, version, yes)
                at = datetime.now(UTC).isoformat(timespec="seconds")
                record |= _said(record, yes, by, at)
                path = verdicts.keep(store, version, record)
                if yes:
                    account.begins(name, number)
                    mover.carry_out("promotion", look(store, name).aliases.promoting(number), path)
                    account.ends(name, number)
                else:
                    store.client.set_model_version_tag(name, number, NOT_APPROVED_TAG, f"by {by} at {at}")
                    verdicts.say(store, version, record["verdict"], record["reasons"])
        return _answer(store, name, number, record, by)


def _check_waits(store: Store, version: ModelVersion, yes: bool) -> dict[str, Any]:
    """The last record about `version`; an error where no answer `yes` is awaited, or none against this champion."""
    name, number, tags = version.name, str(version.version), version.tags
    record = _record_of(store, version)
    held = look(store, name).aliases.champion
    verdict = tags.get(VERDICT_TAG, "undecided")
    refused = yes and NOT_APPROVED_TAG in tags
    stopped = yes and verdict == "promoted" and "approval" in record and held != number and ROLLED_BACK_TAG not in tags
    if verdict != PENDING and not refused and not stopped:
        raise FirthError(f"{name} version {number} waits for no approval: it is {verdict}")
    if yes and held != record["champion_before"]:
        now, then = (f"version {one}" if one else "none" for one in (held, record["champion_before"]))
        raise FirthError(
            f"{name}: the champion is {now}, the decision about version {number} was against {then}; ask the gate "
            f"again: firth promote"
        )
    return record


def _record_of(store: Store, version: ModelVersion) -> dict[str, Any]:
    record = verdicts.newest(store, version)
    if record is None:
        raise FirthError(f"{version.name} version {version.version}: the gate has not decided about it yet")
    return record


def _said(record: Mapping[str, Any], yes: bool, by: str, at: str) -> dict[str, Any]:
    """What the answer changes in the record."""
    verdict, said = ("promoted", "approved") if yes else ("refused", NOT_APPROVED)
    kept = [one for one in record["reasons"] if not one.startswith((WAITS, NOT_APPROVED))]
    reasons = [*kept, f"{said} by {by} at {at}"]
    return {"verdict": verdict, "reasons": reasons, "approval": {"approved": yes, "by": by, "at": at}}


def _answer(store: Store, name: str, number: str, record: Mapping[str, Any], by: str) -> Answer:
    aliases = look(store, name).aliases
    reasons = tuple(record["reasons"])
    return Answer(name, number, record["verdict"], by, reasons, aliases.champion, aliases.previous, record)
