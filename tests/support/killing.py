"""Trainings and stages that are killed on their way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import firth


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


class Killer:
    """Told of a training's rows, it breaks it off at number `at`; `steps` are those that it was told of."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.steps: list[int] = []

    def __call__(self, step: int, _metrics: object) -> None:
        """Hear of a row."""
        self.steps.append(step)
        if len(self.steps) == self.at:
            raise Killed


def killed_stage_ends_the_same(
    folder: Path,
    stage: tuple[str, ...],
    write_project: Callable[[Path], object],
    outputs: Callable[[Path], dict[str, bytes]],
) -> None:
    """A training's `stage` (its module and arguments), ended by TERM and by KILL, writes what an unbroken one writes.

    `write_project` makes a project folder, `outputs` reads what the stage has written to it.
    """
    unbroken, broken = folder / "unbroken", folder / "broken"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(firth.__file__).resolve().parents[1]),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
    }
    environment.pop("FIRTH_STATE", None)
    command = [sys.executable, "-m", f"firth.stages.{stage[0]}", *stage[1:]]
    for root in (unbroken, broken):
        root.mkdir()
        write_project(root)
    subprocess.run(command, cwd=unbroken, env=environment, check=True, capture_output=True)

    def checkpoints() -> set[Path]:
        return set((broken / ".firth/runs").glob("*/*/checkpoints/step-*"))

    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)):
        before = checkpoints()
        with subprocess.Popen(command, cwd=broken, env=environment, stderr=subprocess.DEVNULL) as child:
            while not checkpoints() - before:
                assert child.poll() is None
                time.sleep(0.02)
            child.send_signal(number)
            assert child.wait(timeout=120) == code
        assert outputs(broken) == {}
    subprocess.run(command, cwd=broken, env=environment, check=True, capture_output=True)
    assert outputs(broken) == outputs(unbroken)
