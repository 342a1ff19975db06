"""One progress line for long work: stage, rate, time left. A bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")

LINE_SECONDS = 5.0
"""Seconds between two lines where there is no terminal (a log, a flow run's task)."""


def compact(number: float) -> str:
    """`1.97M`, `312k`, `87`: at most three digits."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def duration(seconds: float) -> str:
    """`0:42`, `1:02:09`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.fields["rate"], style="progress.data.speed")


class Meter:
    """A running count of `unit`s out of `total` (None where it is not known beforehand); used as a context manager.

    Where the work ends with a time, `seconds` is its length: progress is then what is used of that, as `advance` is
    told. Without a `title` it counts and shows nothing.
    """

    def __init__(self, title: str, total: float | None, unit: str, seconds: float | None = None) -> None:
        self.title, self.total, self.unit, self.seconds = title, total, unit, seconds
        self.done = 0.0
        self.used = 0.0
        self.note = ""
        self._started = self._last = time.monotonic()
        self._initial = 0.0
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        self._started = self._last = time.monotonic()
        if self.title and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), _Rate(),
                TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
                transient=False, console=_console(),
            )  # fmt: skip
            self._bar.add_task(self.title, total=self.seconds or self.total, rate="", note="")
            self._bar.start()
        return self

    def resume_at(self, done: float, used: float = 0.0) -> None:
        """Count from `done` (and `used` seconds) on, without letting earlier work inflate the rate."""
        self.done = self._initial = done
        self.used = used
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=used if self.seconds else done)

    def expect(self, total: float) -> None:
        """From now on `total` is what the whole is thought to be."""
        self.total = total

    def advance(self, amount: float, note: str = "", used: float = 0.0) -> None:
        """Add `amount`; `note` (a loss, a file name) is shown behind the rate; `used` are the seconds used so far."""
        self.done += amount
        self.used = used
        self.note = note or self.note
        if self._bar:
            self._bar.update(
                self._bar.task_ids[0], completed=self.used if self.seconds else self.done,
                total=self.seconds or self.total, rate=f"{compact(self.rate)} {self.unit}/s", note=self.note,
            )  # fmt: skip
        elif self.title and time.monotonic() - self._last >= LINE_SECONDS:
            self._line()

    @property
    def rate(self) -> float:
        """Units a second, of the work done since the start or the resume."""
        elapsed = time.monotonic() - self._started
        return (self.done - self._initial) / elapsed if elapsed > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes at this rate; None where that is not known."""
        if self.seconds:
            return max(0.0, self.seconds - self.used)
        return max(0.0, self.total - self.done) / self.rate if self.total and self.rate > 0 else None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        elif self.title and kind is None:
            self._line(final=True)

    def _line(self, final: bool = False) -> None:
        self._last = time.monotonic()
        parts = [f"{self.title}: {compact(self.done)}"]
        if self.total and not self.seconds:
            parts[0] += f" of {compact(self.total)} {self.unit} ({self.done / self.total:.0%})"
        else:
            parts[0] += f" {self.unit}"
        parts.append(f"{compact(self.rate)} {self.unit}/s")
        if final:
            parts.append(f"took {duration(self._last - self._started)}")
        elif self.seconds:
            parts.append(f"{duration(self.used)} of {duration(self.seconds)} ({self.used / self.seconds:.0%})")
        elif self.left is not None:
            parts.append(f"left {duration(self.left)}")
        if self.note:
            parts.append(self.note)
        print(", ".join(parts), file=sys.stderr, flush=True)


def track(items: Iterable[T], title: str, total: float | None = None, unit: str = "items") -> Iterator[T]:
    """Yield `items`, counted on a progress line."""
    with Meter(title, total, unit) as meter:
        for item in items:
            yield item
            meter.advance(1)


@contextmanager
def step(title: str) -> Iterator[None]:
    """A line when a step without a countable size starts and when it has ended."""
    started = time.monotonic()
    print(f"{title} …", file=sys.stderr, flush=True)
    yield
    print(f"{title}: done in {duration(time.monotonic() - started)}", file=sys.stderr, flush=True)


def _console() -> Console:

    return Console(stderr=True)
