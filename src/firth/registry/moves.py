"""Moves of `@champion` and `@previous`, of which any step may be the last.

MLflow moves one alias at a time. So a holder of the lock first writes down what it is about to do, in a tag of the
registered model; then `@previous` moves, then `@champion`, then the versions' tags say so, then the note is marked as
done. The move of `@champion` is what counts: whoever holds the lock next and finds a move that is not done ends it
where `@champion` has moved, and undoes it where it has not. At every moment `@champion` is one version.

A holder that was stopped for longer than its lease may move an alias under the lock of another: MLflow takes no
condition with a move. It finds out right afterwards, and gives the alias back what the note says (`moving`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from firth.errors import PassingError
from firth.registry import verdicts
from firth.registry.lock import UNANSWERED, Held, LostLockError, locked
from firth.registry.versions import CHAMPION, PREVIOUS, ROLLED_BACK_TAG
from firth.tracking.store import Store

MOVE_TAG: Final = "firth.move"
GONE = "RESOURCE_DOES_NOT_EXIST"
TRIES = 3
"""How often an alias is moved that a late holder moves back."""

Kind = Literal["promotion", "rollback"]


@dataclass(frozen=True)
class Aliases:
    """Numbers of the versions behind the two aliases; None where there is none."""

    champion: str | None
    previous: str | None

    def of(self, alias: str) -> str | None:
        """The number behind `@champion` or `@previous`."""
        return self.champion if alias == CHAMPION else self.previous

    def promoting(self, number: str) -> Aliases:
        """What they are to be once version `number` is promoted."""
        return Aliases(number, self.previous if self.champion in (None, number) else self.champion)


@dataclass(frozen=True)
class Move:
    """The note of a move. `record` is where the decision behind a promotion lies, on the run of the new champion."""

    kind: Kind
    was: Aliases
    to: Aliases
    token: str
    at: str
    record: str = ""
    done: bool = False


class Seen(NamedTuple):
    """What a registered model shows of its aliases and of the last move."""

    aliases: Aliases
    move: Move | None


def look(store: Store, name: str) -> Seen:
    """The aliases of `name` and the note of the last move, read at once; nothing where it is not registered."""
    from mlflow.exceptions import MlflowException

    try:
        model = store.client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == GONE:
            return Seen(Aliases(None, None), None)
        raise
    held = {alias: str(number) for alias, number in model.aliases.items()}
    return Seen(Aliases(held.get(CHAMPION), held.get(PREVIOUS)), _read_note(model.tags.get(MOVE_TAG)))


def _read_note(text: str | None) -> Move | None:
    if not text:
        return None
    tree = json.loads(text)
    return Move(**tree | {"was": Aliases(**tree["was"]), "to": Aliases(**tree["to"])})


@dataclass
class Mover:
    """Moves the aliases of `name` under the lock `held`. `ended` is a move that another had left halfway."""

    held: Held
    name: str
    ended: Move | None = None
    wrote: dict[str, str | None] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The store of the lock."""
        return self.held.store

    def carry_out(self, kind: Kind, to: Aliases, record: str = "") -> None:
        """Make the aliases `to`.

        Raises:
            LostLockError: the lock is another's by now.
        """
        from mlflow.exceptions import MlflowException

        at = datetime.now(UTC).isoformat(timespec="seconds")
        move = Move(kind, look(self.store, self.name).aliases, to, self.held.token, at, record)
        self._note(move)
        try:
            for _ in range(TRIES):
                self._set(PREVIOUS, to.previous)
                self._set(CHAMPION, to.champion)
                if look(self.store, self.name).aliases == to:
                    break
            else:
                raise PassingError(f"{self.name}: something else moves its aliases at the same time; try again later")
            self._end(move)
        except MlflowException as error:
            if error.error_code not in UNANSWERED:  # such as a version that was deleted: nothing is left halfway
                self.settle()
            raise

    def settle(self) -> None:
        """End or undo the move that somebody left halfway."""
        aliases, left = look(self.store, self.name)
        if left is None or left.done:
            return
        if aliases.champion == left.to.champion:
            self._restore(PREVIOUS, left.to.previous)
            self._end(left)
            self.ended, said = left, "is ended"
        else:
            if aliases.champion == left.was.champion:
                self._restore(PREVIOUS, left.was.previous)
            self._note(replace(left, to=look(self.store, self.name).aliases, done=True))
            said = "is undone"
        stands = f"{_version(aliases.champion)} is @champion"
        print(f"{self.name}: the {left.kind} begun at {left.at} {said}; {stands}", file=sys.stderr, flush=True)

    def take_back(self, late: Mover) -> None:
        """Give the aliases that `late` moved under another's lock the versions that this other gave them."""
        aliases, last = look(self.store, self.name)
        if last is not None and last.token != late.held.token:
            right = last.to if last.done else last.was
            for alias, number in late.wrote.items():
                if aliases.of(alias) == number != right.of(alias):
                    self._restore(alias, right.of(alias))
        self.settle()
        aliases, last = look(self.store, self.name)
        if last is not None and last.token == late.held.token:  # its note came late, too
            self._note(replace(last, to=aliases))

    def _end(self, move: Move) -> None:
        """Say on the versions what has come of `move`, and that it is done."""
        with _unless_gone():
            if move.kind == "promotion":
                verdicts.tell(self.store, self.name, str(move.to.champion), move.record)
            else:
                client, left = self.store.client, str(move.was.champion)
                client.delete_model_version_tag(self.name, str(move.to.champion), ROLLED_BACK_TAG)
                client.set_model_version_tag(self.name, left, ROLLED_BACK_TAG, f"to {move.to.champion} at {move.at}")
        self._note(replace(move, done=True))

    def _restore(self, alias: str, number: str | None) -> None:
        """Set an alias; where its version was deleted there is none."""
        from mlflow.exceptions import MlflowException

        try:
            self._set(alias, number)
        except MlflowException as error:
            if error.error_code != GONE or number is None:
                raise
            self._set(alias, None)

    def _set(self, alias: str, number: str | None) -> None:
        self.held.still()
        self.wrote[alias] = number
        if number is None:
            self.store.client.delete_registered_model_alias(self.name, alias)
        else:
            self.store.client.set_registered_model_alias(self.name, alias, number)
        self.held.check()

    def _note(self, move: Move) -> None:
        self.held.still()
        note = asdict(replace(move, token=self.held.token))
        self.store.client.set_registered_model_tag(self.name, MOVE_TAG, json.dumps(note, sort_keys=True))
        self.held.check()


@contextmanager
def moving(store: Store, name: str) -> Iterator[Mover]:
    """The lock of `name` and the right to move its aliases, with nothing left halfway by others.

    Raises:
        LostLockError: the lock was taken over; what was moved too late is as it was before that.
    """
    mover = None
    try:
        with locked(store, name) as held:
            mover = Mover(held, name)
            mover.settle()
            yield mover
    except LostLockError:
        if mover is not None:
            with locked(store, name) as held:
                Mover(held, name).take_back(mover)
        raise


def mend(store: Store, name: str) -> Move | None:
    """End or undo what was left halfway, before a decision looks at the champion; the move where one was ended."""
    aliases, last = look(store, name)
    if last is not None and not last.done:
        with moving(store, name) as mover:
            return mover.ended
    if last is not None and aliases.champion not in (None, last.to.champion):
        print(
            f"{name}: {_version(aliases.champion)} is @champion, though the last {last.kind} ({last.at}) left "
            f"{_version(last.to.champion)} there: the alias was moved by hand, or by a process that was stopped",
            file=sys.stderr,
            flush=True,
        )
    return None


def _version(number: str | None) -> str:
    return f"version {number}" if number else "no version"


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Passes over what was deleted."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != GONE:
            raise
