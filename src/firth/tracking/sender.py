"""Metrics on their way to MLflow: a thread sends them in batches, so that training neither waits nor fails for it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firth.tracking.store import Store, first_line

BATCH = 500
"""Points in one request."""

PAUSE_SECONDS = 1.0
"""Time between two requests while all goes well."""

LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric at one step (corpus words seen; BERT: optimizer steps)."""

    key: str
    value: float
    step: int
    milliseconds: int


class Sender(threading.Thread):
    """Opens a run with `set_up`, then sends points that the run does not hold yet; tries again for as long as it lives.

    `set_up` returns the store and the run's id; it is called until it succeeds, so it must be repeatable.
    """

    def __init__(self, set_up: Callable[[], tuple[Store, str]]) -> None:
        super().__init__(name="mlflow-sender", daemon=True)
        self.run_id: str | None = None
        self.store: Store | None = None
        self.error: str | None = None
        self._set_up = set_up
        self._points: list[Point] = []
        self._held: dict[str, set[int]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = False

    def put(self, metrics: Mapping[str, float], step: int) -> None:
        """Queue `metrics`; values that are not finite are left out, since stores differ in what they make of them."""
        now = time.time_ns() // 1_000_000
        points = [Point(key, float(value), step, now) for key, value in metrics.items() if math.isfinite(value)]
        with self._lock:
            self._points += points

    def finish(self, seconds: float) -> int:
        """Send what is left, waiting at most `seconds`; how many points could not be sent."""
        self._ending = True
        self._wake.set()
        self.join(seconds)
        with self._lock:
            return len(self._points)

    def run(self) -> None:
        """The thread's body."""
        pause = PAUSE_SECONDS
        while True:
            ending = self._ending
            try:
                if self.store is None:
                    self._open()
                while self._send():
                    pass
                self.error = None
                pause = PAUSE_SECONDS
            except Exception as error:  # a tracker that fails in whatever way must not end a training
                self.error = first_line(error)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            if ending:
                return
            self._wake.wait(pause)

    def _open(self) -> None:
        store, run_id = self._set_up()
        held = steps_held(store, run_id)
        with self._lock:
            self._held = held
        self.store, self.run_id = store, run_id

    def _send(self) -> bool:
        """Send one batch; whether more is waiting."""
        if self.store is None or self.run_id is None:
            return False
        with self._lock:
            batch = self._points[:BATCH]
        new = {(point.key, point.step): point for point in batch if point.step not in self._held.get(point.key, ())}
        if new:
            send_points(self.store, self.run_id, list(new.values()))
        for key, step in new:
            self._held.setdefault(key, set()).add(step)
        with self._lock:
            del self._points[: len(batch)]
            return bool(self._points)


def send_points(store: Store, run_id: str, points: list[Point]) -> None:
    """Log `points` on a run, in batches."""
    from mlflow.entities import Metric

    for start in range(0, len(points), BATCH):
        part = points[start : start + BATCH]
        metrics = [Metric(point.key, point.value, point.milliseconds, point.step) for point in part]
        store.client.log_batch(run_id, metrics=metrics, synchronous=True)


def steps_held(store: Store, run_id: str) -> dict[str, set[int]]:
    """The steps that a run already holds of each metric; a resumed training passes some of them again."""
    run = store.client.get_run(run_id)
    return {key: {point.step for point in store.client.get_metric_history(run_id, key)} for key in run.data.metrics}
