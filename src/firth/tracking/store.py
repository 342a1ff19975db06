"""The MLflow store: one SQLite file in the clone's state, or what `MLFLOW_TRACKING_URI` names."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from firth.errors import FirthError, PassingError
from firth.progress import step
from firth.project import state_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "firth"
EVALUATIONS = "firth-evaluations"
"""Apart from the trainings, which they are many times as many as."""
NOTES = {
    EXPERIMENT: "One run a training. Steps of metrics: word2vec, corpus words seen; BERT, optimizer steps.",
    EVALUATIONS: "One run a row of a task's table. Step of seed_score: the seed. Times are those of the whole stage.",
}
URI_VARIABLE = "MLFLOW_TRACKING_URI"

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A server that is away is noticed in seconds, not in the default quarter of an hour; what is missed is sent later.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""Set before mlflow is imported, unless the user has set them."""


CAUSE = re.compile(
    r"\[Errno -?\d+\] ([^'\")\]]+)|Remote end closed connection|Connection reset by peer"
    r"|(?i:read timed out|connection to \S+ timed out)|too many \d+ error responses"
)
"""What ends the message of an HTTP client whose call failed."""


@dataclass(frozen=True)
class Store:
    """An open store: its address, a client of it and the id of the experiment `firth` (or of `evaluations_in`)."""

    uri: str
    client: MlflowClient
    experiment_id: str


def mlflow_folder(root: Path | None = None) -> Path:
    """`.firth/mlflow` of the clone: `mlflow.db` and `artifacts/`."""
    folder = state_folder(root) / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def tracking_uri(root: Path | None = None) -> str:
    """Address of the store: `MLFLOW_TRACKING_URI`, else SQLite in the clone's state."""
    return os.environ.get(URI_VARIABLE) or f"sqlite:///{mlflow_folder(root) / 'mlflow.db'}"


def artifacts_uri(uri: str) -> str | None:
    """Where the experiment's artifacts go: beside a SQLite file; None leaves it to a server."""
    if not uri.startswith("sqlite:///"):
        return None
    folder = Path(uri.removeprefix("sqlite:///")).resolve().parent / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.as_uri()


def import_mlflow() -> None:
    """Import mlflow with telemetry off. To be done on the main thread: two threads importing can block each other."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow.store.tracking.sqlalchemy_store
    import mlflow.tracking  # noqa: F401


def open_store(root: Path | None = None) -> Store:
    """Open the store, creating tables and experiment if need be; `FirthError` where it cannot be used.

    Several processes may do so at once on a fresh store: one creates the tables under a file lock, the others wait.
    """
    import_mlflow()
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    uri = tracking_uri(root)
    named = os.environ.get(URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    if (
        named is None
    ):  # MLflow writes the variable itself; a child, or another project in this process, shall not see it
        os.environ.pop(URI_VARIABLE, None)
    try:
        if uri.startswith("sqlite:///"):
            create_tables_once(Path(uri.removeprefix("sqlite:///")).resolve())
        client = MlflowClient(tracking_uri=uri)
        return Store(uri, client, _experiment_id(client, uri, EXPERIMENT))
    except MlflowException as error:
        if "out-of-date database schema" in str(error):
            raise FirthError(
                f"{uri} was written by another version of MLflow; copy the file, then run: mlflow db upgrade {uri}"
            ) from None
        raise PassingError(f"MLflow at {uri} cannot be used: {reason_of(error)}; {remedy(uri)}") from error


def evaluations_in(store: Store) -> Store:
    """The same store, at the experiment that holds the evaluations."""
    return replace(store, experiment_id=_experiment_id(store.client, store.uri, EVALUATIONS))


@contextmanager
def quiet() -> Iterator[None]:
    """Without MLflow's progress bars and notes on what goes well; its warnings and errors are shown."""
    log, bars = logging.getLogger("mlflow"), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    level, before = log.level, os.environ.get(bars)
    log.setLevel(max(level, logging.WARNING))
    os.environ[bars] = "false"
    try:
        yield
    finally:
        log.setLevel(level)
        if before is None:
            del os.environ[bars]
        else:
            os.environ[bars] = before


def create_tables_once(database: Path) -> None:
    """Make `database` unless it is there. Its tables are made in another file that takes the name when it is whole.

    MLflow's own migrations of a fresh file fail when two processes begin at once, and one that was killed among them
    leaves a file that no later start can use.
    """
    import_mlflow()
    from mlflow import __version__ as version
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    ready = database.with_name(f"{database.name}.ready")
    if database.is_file() and ready.is_file() and ready.read_text(encoding="utf-8").strip() == version:
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # the line of `step` says it
    with FileLock(f"{database}.lock"):
        if not database.is_file() or database.stat().st_size == 0:
            part = database.with_name(f"{database.name}.part")
            part.unlink(missing_ok=True)
            with step("Creating the MLflow store (once)"):
                engine = create_sqlalchemy_engine(f"sqlite:///{part}")  # type: ignore[no-untyped-call]
                _initialize_tables(engine)  # type: ignore[no-untyped-call]
                engine.dispose()
            part.replace(database)
        # This makes MLflow's own experiment, whose artifacts would else go to a folder below the current one.
        uri = f"sqlite:///{database}"
        SqlAlchemyStore(uri, artifacts_uri(uri))  # type: ignore[no-untyped-call]
        ready.write_text(f"{version}\n", encoding="utf-8")


def first_line(error: BaseException) -> str:
    """The first line of an error's message, cut to a length for one line of output."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


def reason_of(error: BaseException) -> str:
    """Why the store did not answer, in a few words: the cause at the end of the client's long message."""
    causes = [match[1] or match[0] for match in CAUSE.finditer(str(error))]
    return causes[-1] if causes else first_line(error)


def remedy(uri: str) -> str:
    """What to do about a store that does not answer."""
    if uri.startswith("sqlite:"):
        return "see that the file can be read and written"
    return f"see that its server runs (`firth up` starts the project's own), or set {URI_VARIABLE} to another"


def _experiment_id(client: MlflowClient, uri: str, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        tags = {
            "mlflow.experimentKind": "custom_model_development",  # not the pages for language-model traces
            "mlflow.note.content": NOTES[name],
        }
        try:
            return str(client.create_experiment(name, artifact_location=artifacts_uri(uri), tags=tags))
        except MlflowException:  # another process created it meanwhile
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        raise FirthError(f"the MLflow experiment {name!r} is deleted; restore it: mlflow experiments restore")
    return str(found.experiment_id)
