"""`firth up`, `down` and `status`: a Prefect server, an MLflow server and a worker, on this machine only.

What runs is written down in `.firth/services.json`; logs are in `.firth/services/`. Both servers keep their data in
`.firth`, so that what was seen in the browser yesterday is there today.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from firth.canonical import write_json
from firth.errors import FirthError
from firth.pipeline.background import TOKEN, Recorded, start, stop
from firth.pipeline.loopback import HOST, ask, choose_port
from firth.pipeline.waiting import Waiting, say
from firth.project import state_folder
from firth.tracking.store import create_tables_once

PREFECT, MLFLOW, WORKER = "Prefect server", "MLflow server", "worker"
PREFECT_PORT, MLFLOW_PORT = 4200, 5000
POOL = "firth"
START_SECONDS = 180.0
"""A first start creates two databases; on a busy machine that takes a minute."""
WORKER_GRACE, SERVER_GRACE = 30.0, 10.0
"""Seconds from TERM to KILL: a training that a flow run does may write its checkpoint first."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service as `firth status` shows it."""

    name: str
    state: Literal["up", "not answering", "down"]
    address: str | None = None
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """Where the servers are and what was started, as in `services.json`."""

    prefect_port: int
    mlflow_port: int
    processes: tuple[Recorded, ...]

    @property
    def prefect(self) -> str:
        """Address of Prefect's pages; its API is below `/api`."""
        return f"http://{HOST}:{self.prefect_port}"

    @property
    def mlflow(self) -> str:
        """Address of MLflow's pages and its tracking URI."""
        return f"http://{HOST}:{self.mlflow_port}"

    def process(self, name: str) -> Recorded | None:
        """The process of that name, if it was started."""
        return next((one for one in self.processes if one.name == name), None)


def up(
    root: Path, prefect_port: int | None = None, mlflow_port: int | None = None, timeout: float = START_SECONDS
) -> Services:
    """Start what is not running, deploy `prefect.yaml`, and return when servers and worker answer.

    Ports not given are 4200 and 5000, or the next free ones. Where all runs already, nothing is done. What a failed
    start has begun is stopped again.

    Raises:
        FirthError: a given port is in use, a service ended or did not answer in `timeout` seconds (with the end of its
            log), or the deployment was refused.
    """
    with _only_one(root):
        known = _read(root)
        if known is not None:
            if all(one.state == "up" for one in _look(known)):
                _refuse_other_ports(known, prefect_port, mlflow_port)
                say(f"already running: Prefect {known.prefect}, MLflow {known.mlflow}")
                return known
            if any(one.running() for one in known.processes):
                say("not all services answer: stopping them and starting anew")
            _stop(root, known)
        if not (root / "prefect.yaml").is_file():
            raise FirthError(f"{root / 'prefect.yaml'}: no such file; it says what the Prefect server offers to run")
        first = choose_port("Prefect", prefect_port, PREFECT_PORT)
        services = Services(first, choose_port("MLflow", mlflow_port, MLFLOW_PORT, {first}), ())
        try:
            return _start_all(root, services, timeout)
        except BaseException:
            _stop(root, _read(root))
            raise


def down(root: Path) -> None:
    """Stop what `up` started, with everything that it started in turn; nothing else is touched."""
    with _only_one(root):
        known = _read(root)
        if known is None:
            say("nothing is running")
            return
        running = [one.name for one in known.processes if one.running()]
        _stop(root, known)
        say(f"stopped: {', '.join(running)}" if running else "nothing was running any more")


def status(root: Path) -> list[Service]:
    """What runs, whether it answers, and where."""
    known = _read(root)
    if known is None:
        return [Service(name, "down") for name in (PREFECT, MLFLOW, WORKER)]
    return _look(known)


def environment(root: Path) -> dict[str, str]:
    """Variables that let a process use the servers that answer; empty where none does."""
    known = _read(root)
    if known is None:
        return {}
    answering = {one.name for one in _look(known) if one.state == "up"}
    found: dict[str, str] = {}
    if PREFECT in answering:
        found |= _prefect_environment(root, known)
    if MLFLOW in answering:
        found["MLFLOW_TRACKING_URI"] = known.mlflow
    return found


def _start_all(root: Path, services: Services, timeout: float) -> Services:
    folder = state_folder(root)
    store = folder / "mlflow"
    (store / "artifacts").mkdir(parents=True, exist_ok=True)
    base = _inherited()
    prefect = base | _prefect_environment(root, services)
    own_sources = {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
    line = Waiting(timeout)

    def begin(name: str, command: list[str], variables: dict[str, str]) -> None:
        nonlocal services
        log = folder / "services" / f"{name.lower().replace(' ', '-')}.log"
        process = start(name, [sys.executable, *command], root, variables, log)
        services = Services(services.prefect_port, services.mlflow_port, (*services.processes, process))
        write_json(_file(root), asdict(services))  # at once: `firth down` ends also what a killed `firth up` started

    def until(what: str, name: str, condition: Callable[[Services], bool]) -> None:
        line.until(lambda: condition(services), name, services.processes)
        line.done(what)

    server = ["-m", "prefect", "--no-prompt", "server", "start", "--host", HOST]
    begin(PREFECT, [*server, "--port", str(services.prefect_port)], prefect)
    # Not left to the server: one that is killed in its first migration leaves a store that nobody can use.
    create_tables_once(store / "mlflow.db")
    with line:
        server = ["-m", "mlflow", "server", "--host", HOST, "--port", str(services.mlflow_port), "--workers", "1"]
        begin(MLFLOW, [*server, *_store_options(store)], base | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
        until("Prefect server answers", PREFECT, _prefect_answers)
        until("MLflow server answers", MLFLOW, _mlflow_answers)
    with line:
        worker = ["-m", "prefect", "--no-prompt", "worker", "start", "--pool", POOL, "--type", "process"]
        worker += ["--name", f"{POOL}-{socket.gethostname()}", "--install-policy", "never"]
        begin(WORKER, worker, prefect | own_sources | {"MLFLOW_TRACKING_URI": services.mlflow})
        until("work pool is there", WORKER, _pool_exists)
        _deploy(root, prefect | own_sources)
        line.done("flows are deployed")
        until("worker is online", WORKER, _worker_online)
    return services


def _store_options(store: Path) -> list[str]:
    """One store for the server and for stages that work without one: see docs/decisions/0003-mlflow-store.md."""
    artifacts = (store / "artifacts").as_uri()
    options = ["--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}", "--default-artifact-root", artifacts]
    return [*options, "--artifacts-destination", artifacts]


def _deploy(root: Path, variables: dict[str, str]) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(
        command, cwd=root, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).rstrip().splitlines()[-20:])
        raise FirthError(f"the flows of prefect.yaml could not be deployed:\n{tail}")


def _inherited() -> dict[str, str]:
    """The environment of a service: the virtual environment's programs first, none of the user's Prefect settings."""
    foreign = {TOKEN, "MLFLOW_TRACKING_URI"}
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("PREFECT_") and name not in foreign
    }
    programs = Path(sys.executable).parent
    path = kept.get("PATH", os.defpath).split(os.pathsep)
    return kept | {
        "PATH": os.pathsep.join([str(programs), *(entry for entry in path if entry != str(programs))]),
        "PYTHONUNBUFFERED": "1",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _prefect_environment(root: Path, services: Services) -> dict[str, str]:
    home = state_folder(root) / "prefect"
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"{services.prefect}/api",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
    }


def _look(services: Services) -> list[Service]:
    checks: dict[str, tuple[str | None, Callable[[], bool]]] = {
        PREFECT: (services.prefect, lambda: _prefect_answers(services)),
        MLFLOW: (services.mlflow, lambda: _mlflow_answers(services)),
        WORKER: (None, lambda: _worker_online(services)),
    }
    found = []
    for name, (address, answers) in checks.items():
        process = services.process(name)
        if process is None or not process.running():
            found.append(Service(name, "down"))
        else:
            found.append(Service(name, "up" if answers() else "not answering", address, process.pid))
    return found


def _prefect_answers(services: Services) -> bool:
    return ask(f"{services.prefect}/api/health") is True


def _mlflow_answers(services: Services) -> bool:
    return bool(ask(f"{services.mlflow}/health") == "OK")


def _pool_exists(services: Services) -> bool:
    return ask(f"{services.prefect}/api/work_pools/{POOL}") is not None


def _worker_online(services: Services) -> bool:
    found = ask(f"{services.prefect}/api/work_pools/{POOL}/workers/filter", body={})
    return "ONLINE" in [worker["status"] for worker in found or []]


def _refuse_other_ports(services: Services, prefect_port: int | None, mlflow_port: int | None) -> None:
    for name, given, used in (
        ("Prefect", prefect_port, services.prefect_port),
        ("MLflow", mlflow_port, services.mlflow_port),
    ):
        if given is not None and given != used:
            raise FirthError(f"{name} already runs on port {used}; `firth down` first, to start it on {given}")


def _stop(root: Path, services: Services | None) -> None:
    if services is None:
        return
    # The worker first: what its flow runs do in their last seconds still finds the servers.
    stop([one for one in services.processes if one.name == WORKER], WORKER_GRACE)
    stop(services.processes, SERVER_GRACE)
    _file(root).unlink(missing_ok=True)


def _file(root: Path) -> Path:
    return state_folder(root) / "services.json"


def _read(root: Path) -> Services | None:
    try:
        data = json.loads(_file(root).read_text(encoding="utf-8"))
        processes = tuple(Recorded(**one) for one in data.pop("processes"))
        return Services(**data, processes=processes)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise FirthError(f"{_file(root)}: not what `firth up` wrote ({error}); remove it when nothing runs") from None


@contextlib.contextmanager
def _only_one(root: Path) -> Iterator[None]:
    lock = FileLock(state_folder(root) / "services.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise FirthError("another `firth up` or `firth down` is at work here; wait for it") from None
    try:
        yield
    finally:
        lock.release()
