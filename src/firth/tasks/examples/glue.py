"""Examples of GLUE's official files, read as the scorer reads them: by the set's columns, labels and numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from firth.config.tasks import NumberTask, PairTask, TextTask
from firth.errors import DataError
from firth.packing import Input, text_lines
from firth.records import tidy
from firth.tasks.examples.found import Found, LeftOut
from firth.tasks.official.glue import TASKS, GlueTask
from firth.tasks.official.glue_files import GlueFile, GlueRow, parse

BROKEN_SHARE, BROKEN_LINES = 0.01, 2
"""Share of the lines that may be parts of a record; in a small file as many lines, those of one record."""
PARTS = "a part of a record whose text has a line break"


def glue_set(published: str) -> GlueTask:
    """The set that `tasks.T.published` names; both dev sides of MNLI have one set of columns."""
    return TASKS["mnli-m" if published == "mnli" else published]


def read_glue(
    stream: io.BufferedReader[Any], source: Input, task: TextTask | PairTask | NumberTask, left_out: LeftOut
) -> Iterator[Found]:
    """Examples of a train or dev file, as the readers of other formats give them; ids are left to what they hold.

    Raises:
        DataError: this is not such a file of the set (`official.glue_files.read_gold`), a text is empty, or more than
            a few lines are parts of a record.
    """
    official = glue_set(task.published)
    numbered = ((number, line.rstrip("\r\n")) for number, line in text_lines(stream, source.where))
    found = parse(numbered, source.where, official, "dev")
    _check_broken(found)
    for _ in range(found.broken):
        left_out.add(PARTS, source.where)
    listed = () if isinstance(task, NumberTask) else task.labels
    for row in found.rows:
        texts = [_filled(text, column, source, row) for text, column in zip(row.texts, official.texts, strict=True)]
        if listed and row.label not in listed:
            left_out.add(f"its label {row.label!r} is not among those listed", " ".join(texts))
            continue
        names = ("text",) if isinstance(task, TextTask) else ("first", "second")
        answer = {"score": float(str(row.label))} if isinstance(task, NumberTask) else {"label": row.label}
        yield Found({**dict(zip(names, texts, strict=True)), **answer}, "\n".join(texts), row.line)


def _check_broken(found: GlueFile) -> None:
    lines = found.broken + len(found.rows)
    if found.broken > max(BROKEN_LINES, BROKEN_SHARE * lines):
        raise DataError(
            f"not as many columns as the header, as {found.broken} of {lines} lines, more than {BROKEN_SHARE:.0%}: "
            f"official {found.task.title} has a few such lines, parts of a text with a line break; this file is torn "
            "or was written anew: use the official one", found.where, found.first_broken,
        )  # fmt: skip


def _filled(text: str, column: str, source: Input, row: GlueRow) -> str:
    if not text.strip():
        raise DataError(f"column {column!r} is empty", source.where, row.line)
    return tidy(text)
