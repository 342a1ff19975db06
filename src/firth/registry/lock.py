"""The lock under which aliases move: it lives in the MLflow store, so that it holds between clones and machines.

The one thing that every MLflow store does at most once is to create a registered model of a name. So the lock of
`word2vec-skipgram` is an empty model `word2vec-skipgram-lock`, there for as long as aliases move: a fraction of a
second.

A holder that died leaves it behind. Who waits watches it: where the same token stands for longer than its lease, by the
watcher's own clock (those of two machines need not agree), the lock is dead. It is then renamed, to a name with its
token, and a name is given only once: of many who find it dead, one renames it, and none renames the lock that comes
after. A holder gives its lock back by the same renaming, so that it cannot delete another's.

A holder begins no move that could outlast its lease (`Held.still`), and after each it looks whether the lock is still
its own (`Held.check`): one that was stopped in between notices that it was late.
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

from firth.errors import FirthError, PassingError
from firth.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import RegisteredModel

CALL_SECONDS = 10
"""How long a holder waits for one answer of the store; it asks once (`quick_calls`)."""

MOVE_SECONDS = 2.5 * CALL_SECONDS
"""What must be left of the lease before a move: to connect, to be answered, and some."""

LEASE_SECONDS = 60.0
"""How long a holder may move aliases; far longer than that takes."""

PATIENCE_SECONDS = 300.0
"""How long others are waited for."""

POLL_SECONDS = 0.2
BROKEN_OFF_SECONDS = 3600.0
"""After this the renamed lock of a holder that died is cleared away."""

UNANSWERED = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")
"""MLflow's codes where it is not known whether a call was carried out."""

TOKEN_TAG, OWNER_TAG, LEASE_TAG = "firth.lock.token", "firth.lock.owner", "firth.lock.lease_seconds"


class Left(NamedTuple):
    """A lock as another holds it."""

    token: str
    owner: str
    lease: float


class LostLockError(PassingError):
    """The lease is used up, or another holds the lock by now."""


@dataclass(frozen=True)
class Held:
    """The lock in one's own hands until `deadline`, on `clock`."""

    store: Store
    name: str
    token: str
    deadline: float

    def still(self) -> None:
        """To be called before each move.

        Raises:
            LostLockError: the lease would be used up before the move is surely over.
        """
        if clock() + MOVE_SECONDS > self.deadline:
            raise LostLockError(
                f"{self.name}: the store took longer than the lock's {LEASE_SECONDS:g} seconds; run it again"
            )

    def check(self) -> None:
        """To be called after each move: where the lock is still one's own, it was so during the move.

        Raises:
            LostLockError: another has taken it over.
        """
        found = _read(self.store, self.name)
        if found is None or found.token != self.token:
            by = "" if found is None else f" by {found.owner}"
            raise LostLockError(
                f"{self.name}: this process was stopped for longer than the lock's {LEASE_SECONDS:g} seconds, and the "
                f"lock was taken over{by}; run it again"
            )


def clock() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@contextmanager
def quick_calls() -> Iterator[None]:
    """A server is asked once and not waited for: a call that is sent again later could come under another's lock."""
    wanted = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(CALL_SECONDS), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def lock_name(name: str) -> str:
    """The registered model that is the lock of registered model `name`."""
    return f"{name}-lock"


@contextmanager
def locked(store: Store, name: str) -> Iterator[Held]:
    """Hold the lock of registered model `name`; others wait, on whatever machine.

    Where the store did not answer, the lock is left to be taken over: what was asked may still be done.

    Raises:
        FirthError: another held it for longer than `PATIENCE_SECONDS`, again and again.
    """
    from mlflow.exceptions import MlflowException

    held = _acquire(store, lock_name(name))
    try:
        with quick_calls():
            yield held
    except MlflowException as error:
        if error.error_code not in UNANSWERED:
            _give_back(held)
        raise
    except BaseException:
        _give_back(held)
        raise
    else:
        _give_back(held)


def _give_back(held: Held) -> None:
    """Put the lock away under its own token's name, which is taken where another has put it away, and clear that."""
    from mlflow.exceptions import MlflowException

    put_away = f"{held.name}-{held.token}"
    try:
        with quick_calls():
            held.check()  # what was put away long ago is cleared, and its name free
            held.store.client.rename_registered_model(held.name, put_away)
            held.store.client.delete_registered_model(put_away)
    except (MlflowException, LostLockError):
        # It was taken over, or the store is away: then it will be.
        return


def _acquire(store: Store, lock: str) -> Held:
    started = seen_since = clock()
    seen: Left | None = None
    while True:
        held = _create(store, lock)
        if held is not None:
            return held
        found, now = _read(store, lock), clock()
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

    token, deadline = secrets.token_hex(8), clock() + LEASE_SECONDS
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
    return Held(store, lock, token, deadline)


def _read(store: Store, lock: str) -> Left | None:
    """Who holds it; None where it has just gone."""
    from mlflow.exceptions import MlflowException

    seen: int | None = None
    while True:
        try:
            model = store.client.get_registered_model(lock)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        tags = model.tags
        if TOKEN_TAG in tags:
            return Left(tags[TOKEN_TAG], tags[OWNER_TAG], float(tags[LEASE_TAG]))
        # MLflow reads a model and then its tags, which a lock that is given back in between takes to its new name.
        if model.creation_timestamp == seen:
            raise FirthError(
                f"the registered model {lock} is none of Firth's locks: rename it, the name is needed for one"
            )
        seen = model.creation_timestamp


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
        own = TOKEN_TAG in model.tags and model.name == f"{lock}-{model.tags[TOKEN_TAG]}"
        if own and _age(model) > BROKEN_OFF_SECONDS:
            store.client.delete_registered_model(model.name)


def _age(model: RegisteredModel) -> float:
    """Seconds since it was last changed."""
    return time.time() - float(model.last_updated_timestamp) / 1000.0
