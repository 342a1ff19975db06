"""One error where the store goes away under a promotion, an approval or a rollback: what was done and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from firth.errors import PassingError
from firth.tracking.store import Store, reason_of, remedy

OURS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
"""MLflow's codes for what a client asked wrongly: a fault of ours."""


class OutageError(PassingError):
    """The store went away, or lost what was worked on."""


@dataclass
class Account:
    """What a command has done so far. `champion` says where its move of `@champion` stands."""

    done: list[str] = field(default_factory=list)
    champion: str = "@champion and @previous were not touched"

    def begins(self, name: str, number: str) -> None:
        """The move of `@champion` begins."""
        self.champion = (
            f"the move of @champion of {name} to version {number} had begun: the next firth promote, approve or "
            "rollback of that model ends or undoes it, and until then one version is @champion"
        )

    def ends(self, name: str, number: str) -> None:
        """The move of `@champion` is over."""
        self.champion = f"version {number} is @champion of {name}"


@contextmanager
def accounted(store: Store, command: str) -> Iterator[Account]:
    """Turns the store's errors during `command` into one that says what was done until then.

    Raises:
        OutageError: the store did not answer, or something in it was deleted meanwhile.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    account = Account()
    try:
        yield account
    except (MlflowException, RequestException) as error:
        if isinstance(error, MlflowException) and error.error_code in OURS:
            raise
        done = f"done before: {', '.join(account.done)}; " if account.done else ""
        raise OutageError(
            f"{command}: MLflow at {store.uri} failed ({reason_of(error)}); {done}{account.champion}. To go on, "
            f"{remedy(store.uri)}; then run it again"
        ) from error
