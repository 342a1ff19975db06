"""The lock under which aliases move: it lives in the MLflow store, so that it holds between clones and machines.

The one thing that every MLflow store does at most once is to create a registered model of a name. So the lock of
`word2vec-skipgram` is an empty model `word2vec-skipgram-lock`, there for as long as aliases move: a fraction of a
second.

A holder that died leaves it behind. Who waits watches it: where the same token stands for longer than its lease, by the
watcher's own clock (those of two machines need not agree), the lock is dead. It is then renamed, to a name with its
token, and a name is given only once: of many who find it dead, one renames it, and none renames the lock that comes
after. A holder whose lease is used up moves nothing more (`Held.still`).
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from firth.errors import FirthError
from firth.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import RegisteredModel

LEASE_SECONDS = 30.0
"""How long a holder may move aliases; far longer than that takes."""

PATIENCE_SECONDS = 300.0
"""How long others are waited for."""

POLL_SECONDS = 0.2
BROKEN_OFF_SECONDS = 3600.0
"""After this the renamed lock of a holder that died is cleared away."""

TOKEN_TAG, OWNER_TAG, LEASE_TAG = "firth.lock.token", "firth.lock.owner", "firth.lock.lease_seconds"


class Left(NamedTuple):
    """A lock as another holds it."""

    token: str
    owner: str
    lease: float


@dataclass(frozen=True)
class Held:
    """The lock in one's own hands until `deadline`, on `time.monotonic`'s clock."""

    name: str
    token: str
    deadline: float

    def still(self) -> None:
        """To be called before each move.

        Raises:
            FirthError: the lease is used up; another may hold the lock.
        """
        if time.monotonic() > self.deadline:
            raise FirthError(
                f"{self.name}: the store took longer than the lock's {LEASE_SECONDS:g} seconds; run it again"
            )


def lock_name(name: str) -> str:
    """The registered model that is the lock of registered model `name`."""
    return f"{name}-lock"


@contextmanager
def locked(store: Store, name: str) -> Iterator[Held]:
    """Hold the lock of registered model `name`; others wait, on whatever machine.

    Raises:
        FirthError: another held it for longer than `PATIENCE_SECONDS`, again and again.
    """
    held = _acquire(store, lock_name(name))
    try:
        yield held
    finally:
        if time.monotonic() < held.deadline:  # later it may be another's
            store.client.delete_registered_model(held.name)


def _acquire(store: Store, lock: str) -> Held:
    started = seen_since = time.monotonic()
    seen: Left | None = None
    while True:
        held = _create(store, lock)
        if held is not None:
            return held
        found, now = _read(store, lock), time.monotonic()
        if found is not None and found != seen:
            seen, seen_since = found, now
        elif found is not None and now - seen_since > found.lease:
            _put_away(store, lock, found)
            continue
        if now - started > PATIENCE_SECONDS:
            owner = "another" if found is None else found.owner
            raise FirthError(f"{lock} has been held for {PATIENCE_SECONDS:g} seconds, now by {owner}; try again later")
        time.sleep(POLL_SECONDS)


def _create(store: Store, lock: str) -> Held | None:
    """The lock, or None where it is another's."""
    from mlflow.exceptions import MlflowException

    token, deadline = secrets.token_hex(8), time.monotonic() + LEASE_SECONDS
    owner = f"process {os.getpid()} on {socket.gethostname()}"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        store.client.create_registered_model(
            lock,
            tags={TOKEN_TAG: token, OWNER_TAG: f"{owner}, since {at}", LEASE_TAG: str(LEASE_SECONDS)},
            description="A lock, no model: it is here while Firth moves aliases, and goes by itself.",
        )
    except MlflowException as error:
        # MLflow looks a taken name up for its error, and says that there is none where it has just been given back.
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            raise
        return None
    return Held(lock, token, deadline)


def _read(store: Store, lock: str) -> Left | None:
    """Who holds it; None where it has just gone."""
    from mlflow.exceptions import MlflowException

    try:
        tags = store.client.get_registered_model(lock).tags
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    if TOKEN_TAG not in tags:
        raise FirthError(f"the registered model {lock} is none of Firth's locks: rename it, the name is needed for one")
    return Left(tags[TOKEN_TAG], tags[OWNER_TAG], float(tags[LEASE_TAG]))


def _put_away(store: Store, lock: str, dead: Left) -> None:
    """Rename the lock of a holder that died, unless another was faster."""
    from mlflow.exceptions import MlflowException

    try:
        store.client.rename_registered_model(lock, f"{lock}-{dead.token}")
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            raise
        return
    print(f"{lock}: {dead.owner}, did not give it back; it is taken over", file=sys.stderr, flush=True)
    for model in store.client.search_registered_models(f"name LIKE '{lock}-%'"):
        if _age(model) > BROKEN_OFF_SECONDS:
            store.client.delete_registered_model(model.name)


def _age(model: RegisteredModel) -> float:
    """Seconds since it was last changed."""
    return time.time() - float(model.last_updated_timestamp) / 1000.0
