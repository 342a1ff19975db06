"""A stranger's machine: the checked-in project cloned into an empty folder, with an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
MINUTES = 60.0


@dataclass(frozen=True)
class Clone:
    """A clone with its own virtual environment's programs first on the path."""

    folder: Path
    programs: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "MLFLOW_", "FIRTH_", "PYTEST", "VIRTUAL_ENV", "PYTHONPATH", "GIT_DIR"))
        }
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return {**kept, "PATH": f"{self.programs}:{kept['PATH']}", "COLUMNS": "160", "DVC_NO_ANALYTICS": "1"}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """`command` in the background, both streams in one pipe, a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, minutes: float = 10.0, code: int | None = 0) -> str:
        """Output of `command`, which must exit with `code` (None: any)."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=minutes * MINUTES,
            check=False,
        )
        assert code is None or done.returncode == code, (
            f"{command} exited with {done.returncode}:\n{done.stdout[-6000:]}"
        )
        return done.stdout

    def answer(self, *command: str, minutes: float = 10.0) -> Any:
        """What `command` prints as JSON; how far it is, which slow machines are told, goes to the other stream."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=minutes * MINUTES,
            check=False,
        )
        assert done.returncode == 0, f"{command} exited with {done.returncode}:\n{done.stderr[-6000:]}"
        return json.loads(done.stdout)

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments)

    def processes(self) -> list[psutil.Process]:
        """What still runs with this clone in its command line or as its folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if str(self.folder) in " ".join([process.cwd(), *process.cmdline()]):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


@dataclass(frozen=True)
class Demo:
    """The clone after `make demo`: what that printed, from which commit, and what git then found changed."""

    clone: Clone
    output: str
    commit: str
    changed: str


def clone_into(folder: Path, programs: Path | None = None) -> Clone:
    """A fresh clone of this checkout's HEAD."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    for key, value in (("user.name", "A Stranger"), ("user.email", "stranger@localhost")):
        subprocess.run(["git", "config", key, value], cwd=folder, check=True)
    return Clone(folder, programs or folder / ".venv" / "bin")
