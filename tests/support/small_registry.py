"""A registry of three versions without files, for tests of how aliases move, and what breaks that off at any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from mlflow import MlflowClient

from firth.registry import lock, verdicts
from firth.tracking.store import Store

NAME = "word2vec-skipgram"
WRITES = (
    "create_registered_model", "rename_registered_model", "delete_registered_model", "set_registered_model_tag",
    "set_registered_model_alias", "delete_registered_model_alias", "set_model_version_tag", "delete_model_version_tag",
    "update_model_version", "log_text",
)  # fmt: skip
READS = ("get_registered_model", "get_model_version", "get_model_version_by_alias", "list_artifacts")


def fill(store: Store, champion: str | None = "2", previous: str | None = "1") -> None:
    """Three versions of one run; the first two were promoted."""
    run = store.client.create_run(store.experiment_id).info.run_id
    store.client.create_registered_model(NAME)
    for number in ("1", "2", "3"):
        store.client.create_model_version(NAME, "file:///nowhere", run_id=run)
        if number != "3":
            store.client.set_model_version_tag(NAME, number, "firth.verdict", "promoted")
    set_aliases(store, champion, previous)


def set_aliases(store: Store, champion: str | None, previous: str | None) -> None:
    for alias, number in (("champion", champion), ("previous", previous)):
        if number is None:
            store.client.delete_registered_model_alias(NAME, alias)
        else:
            store.client.set_registered_model_alias(NAME, alias, number)


def clear_locks(store: Store) -> None:
    """Delete what a killed holder left: who comes next waits for its lease, and each look would be a step."""
    for left in store.client.search_registered_models(f"name LIKE '{lock.lock_name(NAME)}%'"):
        store.client.delete_registered_model(left.name)


def decide(store: Store, number: str, verdict: str, champion_before: str | None) -> str:
    """Leave a record of a decision, as the gate does; where it lies."""
    version = store.client.get_model_version(NAME, number)
    reasons = ["it is better"]
    record = {"verdict": verdict, "reasons": reasons, "champion_before": champion_before}
    path = verdicts.keep(store, version, record)
    if verdict != "promoted":
        verdicts.say(store, version, verdict, reasons)
    return path


def aliases(store: Store) -> tuple[str | None, str | None]:
    held = store.client.get_registered_model(NAME).aliases
    champion, previous = held.get("champion"), held.get("previous")
    return None if champion is None else str(champion), None if previous is None else str(previous)


def tags(store: Store, number: str) -> dict[str, str]:
    found: dict[str, str] = store.client.get_model_version(NAME, number).tags
    return found


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@contextmanager
def stops_at(
    step: int, error: Callable[[], BaseException] = Killed, calls: tuple[str, ...] = WRITES
) -> Iterator[list[str]]:
    """From call number `step` of `calls` on nothing reaches the store: `error` is raised. The calls that were made."""
    made: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for method in calls:
            patch.setattr(MlflowClient, method, _stopping(getattr(MlflowClient, method), method, made, step, error))
        yield made


def _stopping(
    inner: Callable[..., Any], method: str, made: list[str], step: int, error: Callable[[], BaseException]
) -> Callable[..., Any]:
    def call(self: MlflowClient, *arguments: Any, **named: Any) -> Any:
        if len(made) >= step:
            raise error()
        made.append(method)
        return inner(self, *arguments, **named)

    return call


def short_leases(patch: pytest.MonkeyPatch) -> None:
    """Dead holders of the lock are succeeded at once; those who live may be slow."""
    patch.setattr(lock, "LEASE_SECONDS", 0.2)
    patch.setattr(lock, "MOVE_SECONDS", -600.0)
    patch.setattr(lock, "POLL_SECONDS", 0.02)
