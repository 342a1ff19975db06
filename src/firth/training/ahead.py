"""Work done ahead on a thread, so that the training thread never waits for its next batch."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.2


def ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """`items` in their order, at most `depth` of them computed before they are asked for.

    What computing them raises is raised here, in its place. The thread ends when the iterator is exhausted or closed.
    """
    ready: Queue[tuple[T | None, BaseException | None]] = Queue(depth)
    closed = threading.Event()

    def put(item: T | None, error: BaseException | None) -> bool:
        while not closed.is_set():
            try:
                ready.put((item, error), timeout=POLL_SECONDS)
                return not closed.is_set()  # room made by the clearing at the end is not filled again
            except Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item, None):
                    return
        except BaseException as error:  # raised where the item would have been
            put(None, error)
            return
        put(None, StopIteration())

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        closed.set()
        while thread.is_alive():
            try:
                ready.get_nowait()
            except Empty:
                thread.join(POLL_SECONDS)
