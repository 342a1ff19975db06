"""`metrics.jsonl`: one line a step, kept in the run folder so that curves survive without a tracker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firth.canonical import write_atomic
from firth.errors import FirthError

FILE = "metrics.jsonl"


class MetricsLog:
    """Append-only lines `{"step": corpus words seen, "metrics": {name: value}}` in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def append(self, step: int, metrics: dict[str, float]) -> None:
        """Add one line; `FirthError` where it cannot be written."""
        line = json.dumps({"step": step, "metrics": metrics}, sort_keys=True)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        except OSError as error:
            raise FirthError(
                f"{self.path}: the metrics of step {step} could not be written ({error.strerror}); make room, then "
                "start again: training goes on from its last checkpoint"
            ) from error

    def truncate(self, step: int) -> None:
        """Forget what came after `step`, and a line torn by a kill: training goes on from a checkpoint of `step`."""
        kept = [line for line in self.read() if line["step"] <= step]
        text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in kept)
        write_atomic(self.path, text.encode())

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines, up to one that a kill has torn."""
        if not self.path.is_file():
            return
        with self.path.open(encoding="utf-8") as stream:
            for line in stream:
                try:
                    yield json.loads(line)
                except ValueError:
                    return
