"""The lock in the MLflow store: one holder at a time, the dead are succeeded, the slow move nothing."""

from __future__ import annotations

import os
import re
import threading
import time

import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from scored_project import ScoredProject
from sqlalchemy import event
from sqlalchemy.engine import Engine

from firth.errors import FirthError
from firth.registry import lock as module
from firth.registry.lock import LostLockError, lock_name, locked
from firth.tracking.store import Store, open_store

NAME = "word2vec-skipgram"
LOCK = lock_name(NAME)


@pytest.fixture
def store(project: ScoredProject, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    return open_store(project.root)


def names(store: Store) -> list[str]:
    return [model.name for model in store.client.search_registered_models()]


def left_behind(store: Store, monkeypatch: pytest.MonkeyPatch, lease: float = 0.3) -> str:
    """A lock whose holder died; its token."""
    monkeypatch.setattr(module, "LEASE_SECONDS", lease)
    held = module._create(store, LOCK)
    assert held is not None
    return held.token


def test_it_is_there_while_it_is_held_and_gone_afterwards(store: Store) -> None:
    with locked(store, NAME) as held:
        held.still()
        (model,) = store.client.search_registered_models()
        assert model.name == LOCK
        assert re.match(r"process \d+ on .+, since 20", model.tags["firth.lock.owner"])
    assert names(store) == []


def test_it_is_gone_after_an_error_too(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), locked(store, NAME):
        raise ZeroDivisionError
    assert names(store) == []


def test_another_waits_until_it_is_given_back(store: Store) -> None:
    order, entered = [], threading.Event()

    def second() -> None:
        entered.set()
        with locked(store, NAME):
            order.append("second")

    with locked(store, NAME):
        thread = threading.Thread(target=second)
        thread.start()
        assert entered.wait(10)
        time.sleep(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_lock_given_back_between_the_refusal_and_its_error_is_asked_for_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store refuses the name, and its holder gives it back before MLflow has looked at who has it."""
    left_behind(store, monkeypatch, lease=60.0)
    inner = SqlAlchemyStore._get_registered_model
    asked = []

    def gone(self, session, name, eager=False):  # type: ignore[no-untyped-def]
        asked.append(name)
        if len(asked) == 1:
            with self.ManagedSessionMaker(read_only=False) as other:
                other.delete(inner(self, other, name))
        return inner(self, session, name, eager)

    monkeypatch.setattr(SqlAlchemyStore, "_get_registered_model", gone)
    started = time.monotonic()
    with locked(store, NAME) as held:
        held.still()
    assert asked[0] == LOCK
    assert time.monotonic() - started < 60


def test_a_lock_given_back_between_its_reading_and_its_tags_is_no_strangers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow reads a model by its name, then its tags by that name: by then they may have gone with a new name."""
    left_behind(store, monkeypatch, lease=60.0)
    read, given_back = module._read, []

    def between(connection, cursor, statement, *rest):  # type: ignore[no-untyped-def]
        if "registered_model_tags" in statement and not given_back:
            given_back.append(LOCK)
            store.client.rename_registered_model(LOCK, "elsewhere")

    def read_late(*args: object) -> object:
        event.listen(Engine, "before_cursor_execute", between)
        try:
            return read(*args)  # type: ignore[arg-type]
        finally:
            event.remove(Engine, "before_cursor_execute", between)

    monkeypatch.setattr(module, "_read", read_late)
    with locked(store, NAME) as held:
        assert given_back
        held.still()


def test_locks_of_other_models_are_others(store: Store) -> None:
    with locked(store, NAME), locked(store, "bert"):
        assert sorted(names(store)) == ["bert-lock", LOCK]


def test_who_died_is_succeeded_after_the_lease(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token, started = left_behind(store, monkeypatch), time.monotonic()
    with locked(store, NAME):
        assert time.monotonic() - started >= 0.3
        assert sorted(names(store)) == [LOCK, f"{LOCK}-{token}"]
    assert "did not give it back; it is taken over" in capsys.readouterr().err
    assert names(store) == [f"{LOCK}-{token}"]


def test_of_many_that_find_it_dead_one_puts_it_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    left_behind(store, monkeypatch)
    dead = module._read(store, LOCK)
    assert dead is not None
    module._put_away(store, LOCK, dead)
    with locked(store, NAME) as held:
        module._put_away(store, LOCK, dead)  # one that was slower, after the lock is another's
        found = module._read(store, LOCK)
        assert found is not None
        assert found.token == held.token


def test_what_was_put_away_long_ago_is_cleared(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = left_behind(store, monkeypatch)
    with locked(store, NAME):
        pass
    assert names(store) == [f"{LOCK}-{first}"]
    monkeypatch.setattr(module, "BROKEN_OFF_SECONDS", -1.0)
    for users in (f"{LOCK}-of-mine", f"{LOCK}-{first[:-1]}"):
        store.client.create_registered_model(users)
    left_behind(store, monkeypatch)
    with locked(store, NAME):
        pass
    assert sorted(names(store)) == sorted([f"{LOCK}-of-mine", f"{LOCK}-{first[:-1]}"]), "a user's models stay"


def test_a_holder_whose_lease_is_used_up_moves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE_SECONDS", module.MOVE_SECONDS + 0.05)
    with locked(store, NAME) as held:
        time.sleep(0.1)
        with pytest.raises(FirthError, match="the store took longer than the lock's"):
            held.still()
    assert names(store) == [], "it was still its own"


def test_whoever_waits_in_vain_is_told_for_whom(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    with (
        locked(store, NAME),
        pytest.raises(FirthError, match=rf"{LOCK} has been held for .* process \d+ on .* try again later"),
        locked(store, NAME),
    ):
        pass


def test_a_model_of_that_name_is_not_touched(store: Store) -> None:
    store.client.create_registered_model(LOCK)
    with pytest.raises(FirthError, match="none of Firth's locks"), locked(store, NAME):
        pass
    assert names(store) == [LOCK]


def test_whoever_is_late_does_not_give_anothers_lock_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE_SECONDS", 0.1)
    with locked(store, NAME) as late, locked(store, NAME) as held:
        module._give_back(late)
        held.check()
        with pytest.raises(LostLockError, match=r"the lock was taken over by process \d+"):
            late.check()
        monkeypatch.setattr(module.Held, "check", lambda self: None)
        module._give_back(late)  # it was taken over after it had looked
        monkeypatch.undo()
        held.check()


def test_a_lock_whose_store_did_not_answer_is_left_to_be_taken_over(store: Store) -> None:
    """What was asked may still be carried out."""
    with pytest.raises(MlflowException, match="timed out"), locked(store, NAME):
        raise MlflowException("API request failed: read timed out")
    assert names(store) == [LOCK]


def test_calls_under_the_lock_are_short_and_sent_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "90")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with locked(store, NAME):
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
        assert 2 * int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]) < module.MOVE_SECONDS < module.LEASE_SECONDS
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "90"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_machine_that_sleeps_uses_its_lease_up(monkeypatch: pytest.MonkeyPatch) -> None:
    before = module.clock()
    monkeypatch.setattr(time, "clock_gettime", lambda which: before + 3600 if which == time.CLOCK_BOOTTIME else 0.0)
    assert module.clock() - before == pytest.approx(3600)
