"""GLUE's distribution files: tab-separated, without quoting, plain or packed; every odd line is named.

Columns are found by the header, so that files with fewer columns than the official ones are read alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firth.errors import DataError
from firth.tasks.official.glue import SCORE_RANGE, TASKS, GlueTask, Side
from firth.tasks.official.results import lines, row_count

PREDICTIONS = ("index", "prediction")
"""Header of a submission's file."""


@dataclass(frozen=True, slots=True)
class GlueRow:
    """One example: `index` is None where the file has no such column, `label` in a test file."""

    line: int
    index: int | None
    texts: tuple[str, ...]
    label: str | None


@dataclass(frozen=True)
class GlueFile:
    """One side of a task. `broken` counts the lines that are parts of a record (QQP only)."""

    task: GlueTask
    side: Side
    where: str
    rows: list[GlueRow]
    broken: int
    first_broken: int | None = None
    """The line of the first of these."""

    def notes(self) -> list[str]:
        """How much of the official file it is."""
        official = self.task.rows.get(self.side, self.task.rows["test"])  # the diagnostic set has one file only
        said = [f"{self.task.title} {self.side}: {row_count(len(self.rows), official)}"]
        if self.broken:
            said.append(f"{self.broken} lines that are parts of a record left out")
        return said


def read_gold(path: Path, task: GlueTask) -> GlueFile:
    """A train or dev file, with labels.

    Raises:
        DataError: the header is not the task's, a line has other columns, a label is none of the task's, an index is
            no whole number or comes twice, or the file is a test file, a prediction file or empty.
    """
    return _read(path, task, "train" if path.name.startswith("train") else "dev")


def read_test(path: Path, task: GlueTask) -> GlueFile:
    """A test file, without labels; errors as for `read_gold`."""
    return _read(path, task, "test")


def read_texts(path: Path, task: GlueTask) -> GlueFile:
    """A file of any side for its texts: labels are passed over, but for those of a side without a header (CoLA's).

    Errors as for `read_gold`.
    """
    numbered = [(number, line) for number, line in lines(path) if line]
    headed = task.header or (bool(numbered) and task.texts[0] in numbered[0][1].split("\t"))
    return parse(numbered, str(path), task, "test" if headed else "dev")


def number(text: str) -> float | None:
    """The finite number that `text` is, if it is one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole_number(text: str) -> int | None:
    """The number from 0 on that `text` is, in plain digits, if it is one."""
    return int(text) if text.isascii() and text.isdigit() else None


def header_of(header: Sequence[str]) -> str:
    """Whose header that is, in words: empty for nobody's."""
    if tuple(header) == PREDICTIONS:
        return "a file of predictions; are gold and predictions swapped?"
    known: dict[str, dict[str, None]] = {}
    for task in TASKS.values():
        for side, columns in task.columns.items():
            if tuple(header) == columns and (task.header or side == "test"):
                known.setdefault("test" if side == "test" else "train or dev", {})[task.title] = None
    return " or ".join(f"the header of {', '.join(titles)}, {side}" for side, titles in known.items())


def _read(path: Path, task: GlueTask, side: Side) -> GlueFile:
    return parse(lines(path), str(path), task, side)


def parse(numbered: Iterable[tuple[int, str]], where: str, task: GlueTask, side: Side) -> GlueFile:
    """What stands in the numbered lines of a file; errors as for `read_gold`, and lead with `where`."""
    listed = [(number, line.split("\t")) for number, line in numbered if line]
    if not listed:
        raise DataError("empty file; was it copied to its end?", where)
    columns = _columns(listed[0][1], task, side, where, listed[0][0])
    width = len(listed[0][1])
    if task.header or side == "test":
        del listed[0]
    rows = list[GlueRow]()
    broken = list[int]()
    for line, fields in listed:
        if len(fields) == width:
            rows.append(_row(fields, columns, task, side, where, line))
        elif task.broken_lines:
            broken.append(line)
        else:
            raise DataError(f"{len(fields)} fields between tabs, but the first line has {width}", where, line)
    if not rows:
        raise DataError("holds no examples, only a header; was it copied to its end?", where)
    _check_indexes(rows, task, where)
    return GlueFile(task, side, where, rows, len(broken), next(iter(broken), None))


def _columns(first: list[str], task: GlueTask, side: Side, where: str, line: int) -> dict[str, int]:
    """Where the wanted columns stand, by the file's first line."""
    official = task.columns.get(side, (*task.columns["test"], task.label))
    shown = " | ".join(official)
    if not task.header and side != "test":
        if whose := header_of(first):
            raise DataError(f"expected {task.title}'s {len(official)} columns {shown} without a header, found {whose}",
                            where, line)  # fmt: skip
        if len(first) != len(official):
            expected = f"expected {len(official)} ({shown}, and no header line)"
            raise DataError(f"{len(first)} fields between tabs; {expected}", where, line)
        return {name: place for place, name in enumerate(official)}
    wanted = [*task.texts, *([] if side == "test" else [task.label])]
    lacking = [name for name in wanted if name not in first]
    if lacking == [task.label] and side != "test":
        raise DataError(f"no column {task.label!r}: a test file, without labels; {task.title} has {shown}", where, line)
    if lacking:
        whose = header_of(first)
        found = f"this is {whose}" if whose else f"found {' | '.join(first)[:120]}"
        raise DataError(f"no column {lacking[0]!r}; {task.title} has the header {shown}; {found}", where, line)
    return {name: first.index(name) for name in (*wanted, task.index) if name in first}


def _row(fields: list[str], columns: dict[str, int], task: GlueTask, side: Side, where: str, line: int) -> GlueRow:
    index = None
    if task.index in columns:
        index = whole_number(fields[columns[task.index]])
        if index is None:
            said = fields[columns[task.index]][:40]
            raise DataError(f"column {task.index!r}: {said!r} is not a whole number", where, line)
    label = None if side == "test" else _label(fields[columns[task.label]], task, where, line)
    return GlueRow(line, index, tuple(fields[columns[name]] for name in task.texts), label)


def _label(text: str, task: GlueTask, where: str, line: int) -> str:
    if task.labels:
        if text not in task.labels:
            raise DataError(f"column {task.label!r}: {text[:40]!r} is not one of {', '.join(task.labels)}", where, line)
        return text
    value = number(text)
    low, high = SCORE_RANGE
    if value is None or not low <= value <= high:
        raise DataError(f"column {task.label!r}: {text[:40]!r} is not a number from {low:g} to {high:g}", where, line)
    return text


def _check_indexes(rows: list[GlueRow], task: GlueTask, where: str) -> None:
    first: dict[int, int] = {}
    for row in rows:
        if row.index is not None and first.setdefault(row.index, row.line) != row.line:
            raise DataError(
                f"column {task.index!r}: {row.index} stands in line {first[row.index]}, too", where, row.line
            )
