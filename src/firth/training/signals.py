"""A TERM signal becomes a request that the training loop answers between two steps: save, then exit 143."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

EXIT_CODE = 128 + signal.SIGTERM


@dataclass
class StopRequest:
    """Whether somebody asked this process to end."""

    requested: bool = False


@contextmanager
def stop_on_sigterm() -> Iterator[StopRequest]:
    """Within the block, SIGTERM sets the request instead of ending the process; a second one ends it at once.

    Python allows signal handlers in the main thread only: elsewhere the request is never set.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        if request.requested:
            leave()
        request.requested = True

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)


def leave() -> NoReturn:
    """Exit as a process ended by SIGTERM does."""
    raise SystemExit(EXIT_CODE)
