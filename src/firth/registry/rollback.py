"""The way back: `@champion` to the version before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from firth.errors import FirthError
from firth.registry import verdicts
from firth.registry.moves import Aliases, Move, look, mend, moving
from firth.registry.outage import accounted
from firth.registry.versions import load_checked, not_deleted
from firth.tracking.lineage import registered_name
from firth.tracking.store import Store, mlflow_folder, open_store


@dataclass(frozen=True)
class Rollback:
    """`champion` took the place of `replaced`."""

    name: str
    champion: str
    replaced: str


def rollback(name: str, root: Path | None = None) -> Rollback:
    """Give `@champion` of `name` back to `@previous`; the version it leaves is not promoted again on its own.

    A second rollback restores the first state. One that was broken off halfway is ended, and no second one made.
    """
    store = open_store(root)
    name = registered_name(name)
    with FileLock(mlflow_folder(root) / "promote.lock"), accounted(store, "firth rollback") as account:
        broken_off = mend(store, name)
        if broken_off is not None and broken_off.kind == "rollback":
            return _of(name, broken_off)
        before = look(store, name).aliases
        champion, previous = _both(store, name, before)
        leaves, returns = (store.client.get_model_version(name, number) for number in (champion, previous))
        with not_deleted(leaves, returns, command="firth rollback"):
            load_checked(name, returns)
            with moving(store, name) as mover:
                if look(store, name).aliases != before:
                    raise FirthError(
                        f"the champion of {name} changed meanwhile; look at `firth models`, then try again"
                    )
                now = datetime.now(UTC).isoformat(timespec="seconds")
                record = {"name": name, "from": champion, "to": previous, "at": now}
                verdicts.keep(store, leaves, record, verdicts.ROLLBACK)
                account.begins(name, previous)
                mover.carry_out("rollback", Aliases(champion=previous, previous=champion))
                account.ends(name, previous)
    return Rollback(name, previous, champion)


def _of(name: str, move: Move) -> Rollback:
    return Rollback(name, str(move.to.champion), str(move.was.champion))


def _both(store: Store, name: str, aliases: Aliases) -> tuple[str, str]:
    """The champion and the one before it."""
    if aliases.champion is None:
        raise FirthError(f"{name} has no champion in {store.uri}")
    if aliases.previous in (None, aliases.champion):
        raise FirthError(f"{name} has no earlier champion to go back to; version {aliases.champion} stays")
    return aliases.champion, str(aliases.previous)
