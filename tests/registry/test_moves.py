"""How aliases move: broken off at any step, overtaken by others, and what the next one makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from small_registry import (
    NAME,
    READS,
    WRITES,
    Killed,
    aliases,
    clear_locks,
    decide,
    fill,
    set_aliases,
    short_leases,
    stops_at,
    tags,
)

from firth.errors import FirthError
from firth.registry import rollback as rollback_module
from firth.registry.lock import LostLockError, locked
from firth.registry.moves import Aliases, Mover, look, mend, moving
from firth.registry.outage import OutageError
from firth.registry.rollback import rollback
from firth.tracking.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    import shutil

    shutil.copytree(mlflow_template, tmp_path / ".firth" / "mlflow")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    (tmp_path / "params.yaml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for variable in ("FIRTH_STATE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(rollback_module, "load_checked", lambda name, version: None)
    short_leases(monkeypatch)
    opened = open_store(tmp_path)
    fill(opened)
    yield opened


def start_again(store: Store) -> None:
    clear_locks(store)
    set_aliases(store, "2", "1")
    for number in ("1", "2", "3"):
        store.client.delete_model_version_tag(NAME, number, "firth.rolled_back")
    store.client.delete_model_version_tag(NAME, "3", "firth.verdict")
    store.client.delete_registered_model_tag(NAME, "firth.move")


def promote(store: Store, number: str = "3") -> None:
    path = decide(store, number, "promoted", "2")
    with moving(store, NAME) as mover:
        mover.carry_out("promotion", look(store, NAME).aliases.promoting(number), path)


@pytest.mark.slow
def test_a_promotion_killed_at_any_step_is_ended_or_undone(store: Store) -> None:
    ends = []
    for step in range(30):
        start_again(store)
        with stops_at(step) as made:
            try:
                promote(store)
            except Killed:
                pass
            else:
                break
        assert aliases(store)[0] in ("2", "3"), made
        mend(store, NAME)
        assert aliases(store) in (("2", "1"), ("3", "2")), made
        ends.append(aliases(store))
        promoted = aliases(store)[0] == "3"
        assert (tags(store, "3").get("firth.verdict") == "promoted") == promoted, made
        move = look(store, NAME).move
        assert move is None or move.done
    else:
        pytest.fail("it never ends")
    assert len(ends) == len(made), "each step was the last once"
    assert ends == sorted(ends), "undone before @champion has moved, ended behind that"
    assert set(ends) == {("2", "1"), ("3", "2")}
    assert made.count("set_registered_model_alias") == 2


@pytest.mark.slow
def test_a_rollback_killed_at_any_step_goes_on_where_it_is_called_again(store: Store) -> None:
    for step in range(30):
        start_again(store)
        with stops_at(step) as made:
            try:
                rollback(NAME)
            except Killed:
                pass
            else:
                break
        assert aliases(store)[0] in ("1", "2"), made
        move = look(store, NAME).move
        if move is None or not move.done:  # else it is over, and another would restore the first state
            back = rollback(NAME)
            assert (back.champion, back.replaced) == ("1", "2"), made
        assert aliases(store) == ("1", "2"), made
        assert "firth.rolled_back" in tags(store, "2")
        assert "firth.rolled_back" not in tags(store, "1")
    else:
        pytest.fail("it never ends")
    assert aliases(store) == ("1", "2")


def test_a_promotion_broken_off_does_not_lose_what_a_rollback_goes_back_to(store: Store) -> None:
    """`@previous` has moved already, `@champion` has not."""

    def killed(self: MlflowClient, name: str, alias: str, version: str) -> None:
        if alias == "champion":
            raise Killed
        real(self, name, alias, version)

    real = MlflowClient.set_registered_model_alias
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", killed)
        with pytest.raises(Killed):
            promote(store)
    assert aliases(store) == ("2", "2")
    assert rollback(NAME).champion == "1"
    assert aliases(store) == ("1", "2")


def test_a_version_deleted_between_two_moves_leaves_the_aliases_as_they_were(store: Store) -> None:
    real = MlflowClient.set_registered_model_alias

    def deletes(self: MlflowClient, name: str, alias: str, version: str) -> None:
        real(self, name, alias, version)
        if alias == "previous" and version == "2":
            self.delete_model_version(NAME, "3")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", deletes)
        with pytest.raises(MlflowException, match="not found"):
            promote(store)
    assert aliases(store) == ("2", "1")


@pytest.mark.parametrize("alias", ["previous", "champion"])
def test_a_holder_that_was_stopped_leaves_the_next_ones_champion_in_place(
    store: Store, monkeypatch: pytest.MonkeyPatch, alias: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second takes the lock over while the first is about to move an alias; the first goes on then."""
    set_aliases(store, "1", None)
    real, stopped = MlflowClient.set_registered_model_alias, list[str]()

    def stops(self: MlflowClient, name: str, moved: str, version: str) -> None:
        if moved == alias and not stopped:
            stopped.append(version)
            promote(store, "3")
            assert aliases(store) == ("3", "1")
        real(self, name, moved, version)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", stops)
    with pytest.raises(LostLockError, match="the lock was taken over"):
        promote(store, "2")
    assert stopped
    assert aliases(store) == ("3", "1")
    move = look(store, NAME).move
    assert move is not None
    assert move.done
    assert "the promotion begun at" in capsys.readouterr().err
    assert [model.name for model in store.client.search_registered_models(f"name = '{NAME}-lock'")] == []


def test_a_note_that_comes_late_does_not_stand(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    set_aliases(store, "1", None)
    real, stopped = MlflowClient.set_registered_model_tag, list[str]()

    def stops(self: MlflowClient, name: str, key: str, value: str) -> None:
        if not stopped:
            stopped.append(value)
            promote(store, "3")
        real(self, name, key, value)

    monkeypatch.setattr(MlflowClient, "set_registered_model_tag", stops)
    with pytest.raises(LostLockError):
        promote(store, "2")
    seen = look(store, NAME)
    assert seen.aliases == Aliases("3", "1")
    assert seen.move is not None
    assert (seen.move.to, seen.move.done) == (seen.aliases, True)


def test_an_alias_that_another_moves_under_the_lock_is_moved_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was late has died before it could give back what it moved."""
    real, late = MlflowClient.set_registered_model_alias, list[str]()

    def also(self: MlflowClient, name: str, alias: str, version: str) -> None:
        real(self, name, alias, version)
        if alias == "champion" and not late:
            late.append(alias)
            real(self, name, alias, "1")

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", also)
    promote(store)
    assert aliases(store) == ("3", "2")


def test_a_champion_that_no_move_made_is_pointed_out(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    promote(store)
    assert mend(store, NAME) is None
    assert "though" not in capsys.readouterr().err
    store.client.set_registered_model_alias(NAME, "champion", "2")
    mend(store, NAME)
    assert "version 2 is @champion, though the last promotion" in capsys.readouterr().err


def test_nothing_moves_where_the_lease_is_almost_used_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with locked(store, NAME) as held, pytest.raises(LostLockError, match="took longer"):
        monkeypatch.setattr("firth.registry.lock.MOVE_SECONDS", 60.0)
        Mover(held, NAME).carry_out("promotion", Aliases("3", "2"))
    assert aliases(store) == ("2", "1")


def refused() -> MlflowException:
    return MlflowException(
        "API request to http://127.0.0.1:9/api/2.0/mlflow/registered-models/alias failed with exception "
        "HTTPConnectionPool(host='127.0.0.1', port=9): Max retries exceeded with url: /api/2.0/mlflow (Caused by "
        "NewConnectionError('HTTPConnection: Failed to establish a new connection: [Errno 111] Connection refused'))"
    )


@pytest.mark.slow
def test_a_store_that_goes_away_at_any_call_of_a_rollback_is_one_error(store: Store) -> None:
    said = set()
    for step in range(60):
        start_again(store)
        with stops_at(step, refused, (*WRITES, "get_model_version")) as made:
            try:
                rollback(NAME)
            except OutageError as error:
                text = str(error)
            else:
                break
        assert text.startswith(f"firth rollback: MLflow at {store.uri} failed (Connection refused); "), made
        assert text.endswith("; then run it again")
        assert "\n" not in text
        moved = aliases(store) != ("2", "1")
        assert not moved or "were not touched" not in text, made
        said.add("had begun" in text)
        try:
            assert rollback(NAME).champion == "1", made
        except AssertionError:
            assert moved  # it was over, and the second one has restored the first state
    else:
        pytest.fail("it never ends")
    assert said == {True, False}


def test_a_fault_of_ours_keeps_its_traceback(store: Store) -> None:
    def wrong() -> MlflowException:
        return MlflowException("no such filter", INVALID_PARAMETER_VALUE)

    with stops_at(0, wrong, READS), pytest.raises(MlflowException, match="no such filter"):
        rollback(NAME)


def test_there_must_be_something_to_go_back_to(store: Store) -> None:
    set_aliases(store, "2", None)
    with pytest.raises(FirthError, match="no earlier champion to go back to; version 2 stays"):
        rollback(NAME)
