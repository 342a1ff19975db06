"""GLUE's submission files, `index<TAB>prediction` with this header: read, laid beside gold, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from firth.canonical import write_atomic
from firth.errors import DataError
from firth.tasks.official.glue import SCORE_RANGE, TASKS, GlueTask
from firth.tasks.official.glue_files import PREDICTIONS, header_of, number, whole_number
from firth.tasks.official.results import lines

SHOWN = 5
Value = TypeVar("Value")


@dataclass(frozen=True)
class Predictions:
    """Predictions by index, in the order of the file; of numbers the text as written."""

    where: str
    by_index: dict[int, str]


def read_predictions(path: Path, labels: Sequence[str]) -> Predictions:
    """The file at `path`; without `labels`, predictions are finite numbers. Rows may stand in any order.

    Fields are parted by tabs, or by commas where the header is.

    Raises:
        DataError: another header, a line with other columns, an index that is no whole number or comes twice, a
            prediction that is none of `labels`.
    """
    where = str(path)
    found: dict[int, str] = {}
    first: dict[int, int] = {}
    between = ""
    for line, text in lines(path):
        if not text:
            continue
        if not between:
            between = _separator(text, where, line)
            continue
        fields = text.split(between)
        if len(fields) != len(PREDICTIONS):
            raise DataError(f"{len(fields)} fields, expected 2 (index, prediction): {text[:80]!r}", where, line)
        index = whole_number(fields[0])
        if index is None:
            raise DataError(f"column 'index': {fields[0][:40]!r} is not a whole number from 0 on", where, line)
        if index in found:
            raise DataError(f"column 'index': {index} stands in line {first[index]}, too", where, line)
        _check(fields[1], labels, where, line)
        found[index], first[index] = fields[1], line
    if not found:
        raise DataError("holds no predictions", where)
    return Predictions(where, found)


def beside(
    rows: Sequence[tuple[int | None, Value]], predictions: Predictions, gold: str
) -> tuple[list[tuple[int, Value, str]], str]:
    """Gold rows `(index or None, value)` with their predictions: `[(index, value, prediction)]`, joined by what.

    They are joined by gold's own indexes, or by row numbers from 0 where the predictions have exactly these.

    Raises:
        DataError: a row has no prediction, or a prediction no row.
    """
    numbers = list(range(len(rows)))
    own = [index for index, _ in rows if index is not None]
    given = predictions.by_index.keys()
    by_row = len(own) < len(rows) or (given == set(numbers) and given != set(own))
    indexes = numbers if by_row else own
    if missing := [index for index in indexes if index not in given]:
        raise DataError(f"no prediction for {_listed(missing)} of {gold}", predictions.where)
    known = set(indexes)
    if more := [index for index in given if index not in known]:
        span = f"{len(indexes)} rows with index {min(indexes)} to {max(indexes)}"
        raise DataError(f"predictions for {_listed(more)}, but {gold} has {span}", predictions.where)
    joined = [(index, value, predictions.by_index[index]) for index, (_, value) in zip(indexes, rows, strict=True)]
    return joined, "row number" if by_row else "index"


def write_predictions(path: Path, task: GlueTask, predictions: Sequence[str | float]) -> None:
    """A submission's file: `predictions` in the order of the test file, indexes from 0.

    Raises:
        DataError: a prediction is none of the task's labels or no number.
    """
    write_atomic(path, indexed(task.title, task.labels, range(len(predictions)), predictions).encode())


def indexed(title: str, labels: Sequence[str], indexes: Sequence[int], predictions: Sequence[str | float]) -> str:
    """The text of such a file. Without `labels`, numbers are cut to STS-B's range and written with six digits.

    Raises:
        DataError: a prediction is none of `labels`, or no number; `title` leads it.
    """
    low, high = SCORE_RANGE
    written = [f"{PREDICTIONS[0]}\t{PREDICTIONS[1]}\n"]
    for index, given in zip(indexes, predictions, strict=True):
        text = str(given)
        _check(text, labels, f"{title}, prediction {index}", None)
        written.append(f"{index}\t{text if labels else f'{min(max(float(given), low), high):.6f}'}\n")
    return "".join(written)


def write_submission(folder: Path, predictions: Mapping[str, Sequence[str | float]]) -> list[Path]:
    """The files of a submission, `{task: predictions of its test file}`; the leaderboard takes them as one zip.

    Raises:
        DataError: a task that GLUE does not have, a number of predictions other than its test file's, a wrong label.
    """
    paths = []
    for name, listed in predictions.items():
        if name not in TASKS:
            raise DataError(f"{name}: no task of GLUE; there are {', '.join(TASKS)}")
        task = TASKS[name]
        if len(listed) != task.rows["test"]:
            raise DataError(f"{task.title}: {len(listed):,} predictions, the test file has {task.rows['test']:,} rows")
        write_predictions(folder / task.file, task, listed)
        paths.append(folder / task.file)
    return paths


def _separator(header: str, where: str, line: int) -> str:
    for between in ("\t", ","):
        if tuple(header.split(between)) == PREDICTIONS:
            return between
    whose = header_of(header.split("\t"))
    found = f"{whose}; are gold and predictions swapped?" if whose else repr(header[:80])
    raise DataError(f"expected the header index<TAB>prediction, found {found}", where, line)


def _check(text: str, labels: Sequence[str], where: str, line: int | None) -> None:
    if labels and text not in labels:
        raise DataError(f"column 'prediction': {text[:40]!r} is not one of {', '.join(labels)}", where, line)
    if not labels and number(text) is None:
        raise DataError(f"column 'prediction': {text[:40]!r} is not a number", where, line)


def _listed(indexes: Sequence[int]) -> str:
    shown = ", ".join(map(str, indexes[:SHOWN]))
    more = len(indexes) - SHOWN
    return f"{'index' if len(indexes) == 1 else 'indexes'} {shown}" + (f" and {more:,} more" if more > 0 else "")
