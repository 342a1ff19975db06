"""Waiting for processes that start: one live line on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Self

from rich.console import Console
from rich.status import Status

from firth.errors import FirthError
from firth.pipeline.background import Recorded
from firth.progress import LINE_SECONDS, duration


class Waiting:
    """Says what is waited for and since when; gives up after `timeout` seconds, or when a process ends meanwhile."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._begun = self._last = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._status = Console(stderr=True).status("starting …")
            self._status.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._status:
            self._status.stop()

    def until(self, condition: Callable[[], bool], name: str, processes: Sequence[Recorded]) -> None:
        """Return when `condition`, which process `name` is to bring about, holds.

        Raises:
            FirthError: one of `processes` has ended, or the time is over; with the end of the log.
        """
        end = time.monotonic() + self.timeout
        while not condition():
            for one in processes:
                if not one.running():
                    raise FirthError(f"the {one.name} ended while starting; the end of {one.log}:\n{one.log_tail()}")
            if time.monotonic() > end:
                late = next(one for one in processes if one.name == name)
                raise FirthError(
                    f"the {name} did not answer in {self.timeout:g} s; the end of {late.log}:\n{late.log_tail()}"
                )
            self._show(name)
            time.sleep(0.2)

    def done(self, what: str) -> None:
        """Say that `what` is reached, and when."""
        self._last = time.monotonic()
        say(f"{what} ({duration(self._last - self._begun)})")

    def _show(self, name: str) -> None:
        now = time.monotonic()
        if self._status:
            self._status.update(f"waiting for the {name} … {duration(now - self._begun)}")
        elif now - self._last >= LINE_SECONDS:
            self._last = now
            say(f"waiting for the {name} … {duration(now - self._begun)}")


def say(line: str) -> None:
    """One line for the person at the terminal, beside the command's output."""
    print(line, file=sys.stderr, flush=True)
