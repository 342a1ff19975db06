"""GLUE's and SWAG's official files in, `index<TAB>prediction` out: what `firth score glue/TASK` and `swag` take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firth.errors import DataError
from firth.progress import Meter
from firth.tasks.batch.predictors import Task
from firth.tasks.batch.writing import writing_text
from firth.tasks.official.glue import TASKS, GlueTask
from firth.tasks.official.glue_files import read_texts
from firth.tasks.official.predictions import indexed
from firth.tasks.official.swag import CHOICES, read_endings

GLUE = "glue/"
SWAG = "swag"


@dataclass(frozen=True, slots=True)
class Asked:
    """A row of an official file: its line, its own number if it has one, and what a model may read of it."""

    line: int
    index: int | None
    values: dict[str, Any]


def kind_of(task: GlueTask) -> str:
    """The kind of model that answers a set of GLUE."""
    return "number" if not task.labels else "text" if len(task.texts) == 1 else "pair"


def fields_of(task: GlueTask) -> tuple[str, ...]:
    """What a model calls the texts of a set of GLUE."""
    return ("text",) if len(task.texts) == 1 else ("first", "second")


def check_labels(labels: Sequence[str], task: GlueTask, where: Path) -> None:
    """`DataError` where a model knows other labels than the set has."""
    if task.labels and sorted(labels) != sorted(task.labels):
        raise DataError(
            f"a model for the labels {', '.join(labels)}, but {task.title} has {', '.join(task.labels)}", where
        )


def predict_rows(predictor: Task, form: str, source: Path, target: Path, block: int) -> int:
    """Answer all rows of `source`, plain or packed, of any side; `target` appears complete or not at all.

    Rows have their own numbers, or where the file gives them none those of their places, from 0. One without text is
    answered, too: scorers want an answer for each, and QQP has such questions.

    Args:
        predictor: a kept model, or several.
        form: `glue/NAME` or `swag`.
        source: the official file; of its labels nothing is read, but for CoLA's, which have no header.
        target: what is written.
        block: rows that are answered at a time.

    Returns:
        How many rows there are.

    Raises:
        DataError: not a file of that set, or a model that knows other labels than the set has.
        FirthError: `target` cannot be written.
    """
    glue = TASKS.get(form.removeprefix(GLUE))
    if glue is not None:
        check_labels(getattr(predictor.usages[0], "labels", ()), glue, source)
    rows = _glue_rows(source, glue) if glue is not None else _swag_rows(source)
    asked = [predictor.record(row.values, str(source), row.line) for row in rows]
    own = [row.index for row in rows if row.index is not None]
    indexes = own if len(own) == len(rows) else range(len(rows))
    labels, title = (glue.labels, glue.title) if glue is not None else (CHOICES, "SWAG")
    with writing_text(target) as out, Meter(predictor.title, len(asked), "rows") as meter:
        found: list[Any] = []
        for start in range(0, len(asked), block):
            found += [answer["prediction"] for answer in predictor.answers(asked[start : start + block], blank=True)]
            meter.advance(len(found) - start)
        out.write(indexed(title, labels, indexes, found))
    return len(rows)


def _glue_rows(source: Path, task: GlueTask) -> list[Asked]:
    names = fields_of(task)
    return [
        Asked(row.line, row.index, dict(zip(names, row.texts, strict=True))) for row in read_texts(source, task).rows
    ]


def _swag_rows(source: Path) -> list[Asked]:
    return [
        Asked(one.line, one.index, {"context": one.context, "endings": one.endings}) for one in read_endings(source)
    ]
