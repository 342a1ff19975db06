"""The curve of a training: its rows, what they are gathered from, and who is told of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firth.training.metrics_log import MetricsLog

if TYPE_CHECKING:
    from firth.bert.pretraining.module import Losses

OnMetrics = Callable[[int, dict[str, float]], None]
"""Called with (step, metrics) for each row of the history."""


@dataclass
class Since:
    """What was gathered since the last row."""

    mlm: float = 0.0
    predictions: int = 0
    nsp: float = 0.0
    pairs: int = 0


class Curve:
    """The history of one training: a list of rows, and the newest scalars by metric name."""

    def __init__(self, run_folder: Path, on_metrics: OnMetrics, predicted: str = "masked words") -> None:
        self.predicted = predicted
        self.history: list[dict[str, Any]] = []
        self.metrics: dict[str, float] = {}
        self.since = Since()
        self.log, self.on_metrics = MetricsLog(run_folder), on_metrics
        self._lines = bytearray()

    @property
    def state(self) -> dict[str, Any]:
        """What a checkpoint says: no times, so that a resumed training has the bytes of an unbroken one."""
        return {"metrics": self.metrics, "since": asdict(self.since)}

    @property
    def rows(self) -> NDArray[np.uint8]:
        """The history as a checkpoint keeps it, a line of JSON a row: however long it is, a save only copies it."""
        return np.frombuffer(bytes(self._lines), dtype=np.uint8)

    def restore(self, state: dict[str, Any], rows: NDArray[np.uint8], step: int) -> None:
        """Go on from what `state` and `rows` returned after `step`."""
        self._lines = bytearray(rows.tobytes())
        self.history = [json.loads(line) for line in self._lines.splitlines()]
        self.metrics, self.since = state["metrics"], Since(**state["since"])
        self.log.truncate(step)

    def add(self, losses: Losses) -> None:
        """Take note of one step."""
        since = self.since
        since.mlm += losses.mlm
        since.predictions += losses.predictions
        since.nsp += losses.nsp
        since.pairs += losses.pairs

    def row(
        self,
        step: int,
        tokens: int,
        rate: float,
        heldout: dict[str, Any] | None,
        meters: dict[str, float],
        counts: dict[str, int],
    ) -> None:
        """Close a row: means since the last one, a look at held-out text if there was one, what has been counted.

        What `meters` show goes to the log and to who listens, and into no history: it is another one each time.
        """
        since = self.since
        row: dict[str, Any] = {
            "step": step,
            "tokens": tokens,
            "learning_rate": rate,
            "mlm_loss": since.mlm / since.predictions,
            "nsp_loss": since.nsp / since.pairs if since.pairs else None,
            **counts,
        }
        self.metrics = {
            f"train/{name}": row[name] for name in ("mlm_loss", "nsp_loss", *counts) if row[name] is not None
        }
        if heldout is not None:
            row["heldout"] = heldout
            names = ("mlm_loss", "mlm_accuracy", "nsp_loss", "nsp_accuracy", "unigram_loss")
            held = {f"heldout/{name}": heldout[name] for name in names if heldout[name] is not None}
            held["heldout/mlm_gain"] = held["heldout/unigram_loss"] - held["heldout/mlm_loss"]
            self.metrics |= held
        self.history.append(row)
        self._lines += json.dumps(row, allow_nan=False).encode() + b"\n"
        shown = {**self.metrics, "train/learning_rate": rate, **meters}
        self.log.append(step, shown)
        self.on_metrics(step, shown)
        self.since = Since()

    def last(self, name: str) -> float:
        """The newest value of metric `name` in the log, of this part of the training or one before; 0 without any."""
        values = [line["metrics"][name] for line in self.log.read() if name in line["metrics"]]
        return float(values[-1]) if values else 0.0

    def note(self) -> str:
        """The newest losses, for the progress line."""
        if not self.history:
            return ""
        row = self.history[-1]
        pairs = "" if row["nsp_loss"] is None else f", next sentence {row['nsp_loss']:.3f}"
        return f"{self.predicted} {row['mlm_loss']:.3f}{pairs}"
