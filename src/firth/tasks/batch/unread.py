"""What models have not read of the records of a file: the ends of long ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from firth.tasks.encoders.reading import Cut, Reading

Units = tuple[str, str]
"""What one of the answered things is called, and several."""
ROWS: Units = ("row", "rows")


def having(count: int, units: Units) -> str:
    """`1 row has`, `2 rows have`."""
    one, several = units
    return f"1 {one} has" if count == 1 else f"{count} {several} have"


class Unread:
    """Counts records that are longer than one of the models that answer reads."""

    def __init__(self) -> None:
        self._count = 0
        self._least: Cut | None = None

    @contextmanager
    def block(self) -> Iterator[Callable[[Reading], None]]:
        """For one block of records: takes how each of the models has read it."""
        readings: list[Reading] = []
        yield readings.append
        cuts = [one.cut for one in readings if one.cut is not None and one.cut.examples.any()]
        if cuts:
            self._count += int(np.logical_or.reduce([cut.examples for cut in cuts]).sum())
            self._least = min((cut for cut in (*cuts, self._least) if cut is not None), key=lambda cut: cut.most)

    def notes(self, units: Units = ROWS) -> list[str]:
        """`3 rows have more than 128 tokens: what is behind them was not read`, if there are any."""
        if self._least is None:
            return []
        what = having(self._count, units)
        question = " in the question" if self._least.bound == "query_length" else ""
        return [f"{what} more than {self._least.most} tokens{question}: what is behind them was not read"]
