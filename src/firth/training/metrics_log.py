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
        data = self.path.read_bytes() if self.path.is_file() else b""
        end = data.rfind(b"\n") + 1
        while end:  # from the end: what is kept, most of it, is neither parsed nor written again
            start = data.rfind(b"\n", 0, end - 1) + 1
            if _step(data[start:end]) <= step:
                break
            end = start
        if end < len(data) or not data:
            write_atomic(self.path, data[:end])

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


def _step(line: bytes) -> float:
    """The step of a line; of a damaged one that of no checkpoint."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
