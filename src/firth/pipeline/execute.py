"""One stage in one process group: its lines as they come, its end on demand, its error as an exception."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from firth.errors import FirthError
from firth.stages.run import LASTING, PASSING

GRACE_SECONDS = 20.0
"""From TERM to KILL: long enough for a checkpoint, shorter than the 30 s after which Prefect kills a flow run."""

GUARD = Path(__file__).with_name("guard.py")

CHATTER = re.compile(
    r"""^(
        Running\ stage\ '.*':
      | >\ .*
      | Stage\ '.*'\ (didn't\ change,\ skipping|is\ cached\ -\ skipping\ run,\ checking\ out\ outputs)
      | (Generating|Updating)\ lock\ file\ '.*'
      | To\ track\ the\ changes\ with\ git,\ run:
      | \s*git\ add\ .*
      | To\ enable\ auto\ staging,\ run:
      | \s*dvc\ config\ core\.autostage\ true
      | Use\ `dvc\ push`\ to\ send\ your\ updates\ to\ remote\ storage\.
      | Data\ and\ pipelines\ are\ up\ to\ date\.
      | \s*
    )$""",
    re.VERBOSE,
)
"""What DVC says around a stage's own lines."""

CACHED = re.compile(r"^Stage '.*' (didn't change, skipping|is cached - skipping run, checking out outputs)$")
DVC_ERROR = re.compile(r"^ERROR: ")
STAGE_ERROR = re.compile(rf"^({re.escape(LASTING)}|{re.escape(PASSING)}): ")


class StageError(FirthError):
    """A stage failed; the message is the stage's own. `lasting`: it would fail again in the same way."""

    def __init__(self, message: str, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class StageStoppedError(FirthError):
    """A stage was ended from outside: cancelled, or past its time limit."""


class Processes:
    """The stages of one run that are at work now; `stop` ends them all and lets no other start."""

    def __init__(self, grace: float = GRACE_SECONDS) -> None:
        self.grace = grace
        self.stopping = False
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """TERM to every stage's group, KILL after the grace; returns when all have ended."""
        with self._lock:
            self.stopping = True
            running = list(self._running)
        for process in running:
            _let_go(process)
        for process in running:
            process.wait()

    def run(
        self,
        command: list[str],
        folder: Path,
        environment: Mapping[str, str],
        line: Callable[[str], None],
        timeout: float | None = None,
    ) -> int:
        """Exit status of `command`; each line of its output goes to `line` as soon as it is there."""
        with self._lock:
            if self.stopping:
                raise StageStoppedError("not started: the run is being cancelled")
            process = subprocess.Popen(
                [sys.executable, "-P", str(GUARD), str(self.grace), *command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
        late = threading.Event()

        def end() -> None:
            late.set()
            _let_go(process)

        timer = threading.Timer(timeout or 0, end)
        if timeout:
            timer.start()
        try:
            for said in process.stdout or ():
                line(said.rstrip("\n"))
            status = process.wait()
        finally:
            timer.cancel()
            _let_go(process)
            process.wait()
            if process.stdout:
                process.stdout.close()
            with self._lock:
                self._running.discard(process)
        if late.is_set():
            raise StageStoppedError(f"stopped after its limit of {timeout:g} s (meta.timeout_seconds in dvc.yaml)")
        if self.stopping:
            raise StageStoppedError("cancelled")
        return status


def run_stage(
    name: str,
    folder: Path,
    environment: Mapping[str, str],
    line: Callable[[str], None],
    processes: Processes,
    *,
    timeout: float | None = None,
) -> bool:
    """Reproduce stage `name` of the project at `folder`, and nothing else; False where DVC found it up to date.

    Raises `StageError` with the stage's own error line, `StageStoppedError` when ended from outside.
    """
    tail: deque[str] = deque(maxlen=50)
    found: dict[str, str] = {}
    cached = False

    def hear(said: str) -> None:
        nonlocal cached
        cached = cached or CACHED.match(said) is not None
        if CHATTER.match(said):
            return
        if DVC_ERROR.match(said):
            found.setdefault("dvc", said)
            return
        if STAGE_ERROR.match(said):
            tail.clear()  # a message of several lines begins here
            found["stage"] = said
        tail.append(said)
        line(said)

    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
    status = processes.run(command, folder, environment, hear, timeout)
    if status:
        raise StageError(_explain(status, found, tail), lasting=found.get("stage", "").startswith(f"{LASTING}: "))
    return not cached


def _explain(status: int, found: Mapping[str, str], tail: deque[str]) -> str:
    if "stage" in found:
        return STAGE_ERROR.sub("", "\n".join(tail))
    spoken = [said for said in tail if said.strip()]
    if spoken:
        return spoken[-1]
    if "dvc" in found:
        return found["dvc"].removeprefix("ERROR: ")
    return f"DVC ended with exit status {status} and said nothing"


def _let_go(process: subprocess.Popen[str]) -> None:
    """Close the guard's standard input: it then ends its group."""
    if process.stdin and not process.stdin.closed:
        process.stdin.close()
