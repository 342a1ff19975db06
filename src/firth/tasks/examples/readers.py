"""Texts, pairs, questions and choices out of records. One that cannot be used is an error with its line."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from firth.config.tasks import ChoiceTask, NumberTask, PairTask, SpanTask, TextTask
from firth.errors import DataError
from firth.packing import Input
from firth.records import kind_of, tidy
from firth.tasks.examples.files import Example
from firth.tasks.examples.found import Found, LeftOut
from firth.tasks.examples.tables import Number, Row, rows

Stream: TypeAlias = "io.BufferedReader[Any]"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def read_texts(stream: Stream, source: Input, task: TextTask, left_out: LeftOut) -> Iterator[Found]:
    """Examples `{"text", "label"}` of one file; those without a label, or with one not listed, are left out."""
    for at, label in _labelled(stream, source, task, (task.text_field,), left_out):
        text = at.text(task.text_field)
        yield at.found({"text": text, "label": label}, task.group_field, text)


def read_pairs(stream: Stream, source: Input, task: PairTask, left_out: LeftOut) -> Iterator[Found]:
    """Examples `{"first", "second", "label"}` of one file; labels as in `read_texts`."""
    for at, label in _labelled(stream, source, task, (task.first_field, task.second_field), left_out):
        first, second = at.text(task.first_field), at.text(task.second_field)
        yield at.found({"first": first, "second": second, "label": label}, task.group_field, f"{first}\n{second}")


def read_spans(stream: Stream, source: Input, task: SpanTask, left_out: LeftOut) -> Iterator[Found]:
    """Examples `{"context", "question", "answers"}` of one file; those without an answer in the context are left out.

    The answer is a text, a list of texts, or in JSON Lines `{"text": […], "answer_start": […]}` as SQuAD has it.

    Raises:
        DataError: more answers that their contexts do not hold than `absent_share` allows.
    """
    fields = (task.context_field, task.question_field, task.answer_field)
    seen = 0
    absent = list[tuple[int, str]]()
    for line, row in rows(stream, source.where, task.format, _with_group(task, fields)):
        at = _Record(row, source.where, line)
        context, question = at.text(task.context_field), at.text(task.question_field)
        given = at.answers(task.answer_field, context)
        answers = [{"text": text, "start": start} for text, start in given if start >= 0]
        seen += 1
        if not answers:
            reason = "the answer does not occur in the context" if given else "no answer"
            said = ", ".join(text for text, _ in given)
            left_out.add(reason, f"{said} ← {question}" if given else question)
            absent += [(line, said)] if given else []
            continue
        yield at.found({"context": context, "question": question, "answers": answers}, task.group_field, context)
    if len(absent) > task.absent_share * seen:
        line, said = absent[0]
        raise DataError(
            f"field {task.answer_field!r}: the context does not hold {said[:80]!r}; that goes for {len(absent)} of "
            f"{seen} questions, more than absent_share ({task.absent_share:g}): write answers letter for letter as in "
            "their contexts, take these questions out, or allow a greater absent_share", source.where, line,
        )  # fmt: skip


def read_numbers(stream: Stream, source: Input, task: NumberTask, left_out: LeftOut) -> Iterator[Found]:
    """Examples `{"first", "second", "score"}` of one file; those without a number are left out."""
    for at in _answered(stream, source, task, (task.first_field, task.second_field), task.score_field, left_out):
        first, second = at.text(task.first_field), at.text(task.second_field)
        example = {"first": first, "second": second, "score": at.number(task.score_field, task.score_range)}
        yield at.found(example, task.group_field, f"{first}\n{second}")


def read_choices(stream: Stream, source: Input, task: ChoiceTask, left_out: LeftOut) -> Iterator[Found]:
    """Examples `{"context", "endings", "label"}` of one file; those without a label are left out.

    Endings that share a start have it in front of each.
    """
    start = [] if task.start_field is None else [task.start_field]
    fields = [task.context_field, *start, *task.ending_fields]
    for at in _answered(stream, source, task, fields, task.label_field, left_out):
        context, endings = at.text(task.context_field), at.endings(task.ending_fields)
        if task.start_field is not None:
            endings = [f"{at.beginning(task.start_field)}{ending}" for ending in endings]
        example = {"context": context, "endings": endings, "label": at.place(task.label_field, len(endings))}
        yield at.found(example, task.group_field, context)


def _with_group(task: TextTask | PairTask | SpanTask | NumberTask | ChoiceTask, fields: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*fields, *([] if task.group_field is None else [task.group_field])]))


def _labelled(
    stream: Stream, source: Input, task: TextTask | PairTask, fields: Sequence[str], left_out: LeftOut
) -> Iterator[tuple[_Record, str]]:
    """Records with a label that counts; of the others, which may be broken elsewhere, no more is read."""
    for at in _answered(stream, source, task, fields, task.label_field, left_out):
        label = at.scalar(task.label_field)
        if task.labels and label not in task.labels:
            left_out.add(f"its label {label!r} is not among those listed", at.words(fields))
            continue
        yield at, label


def _answered(
    stream: Stream,
    source: Input,
    task: TextTask | PairTask | NumberTask | ChoiceTask,
    fields: Sequence[str],
    answer: str,
    left_out: LeftOut,
) -> Iterator[_Record]:
    """Records whose field `answer` is filled; the others are left out and counted."""
    what = "score" if isinstance(task, NumberTask) else "label"
    for line, row in rows(stream, source.where, task.format, _with_group(task, fields), optional=answer):
        at = _Record(row, source.where, line)
        if row[answer] in (None, ""):
            left_out.add(f"no {what}", at.words(fields))
            continue
        yield at


class _Record:
    """One record, whose errors name its file, line and field."""

    def __init__(self, row: Row, where: str, line: int) -> None:
        self._row, self._where, self._line = row, where, line

    def words(self, fields: Sequence[str]) -> str:
        """What stands in `fields`, whatever it is."""
        return " ".join(str(self._row[field]) for field in fields)

    def text(self, field: str) -> str:
        value = self._row[field]
        if not isinstance(value, str):
            raise self._error(field, f"holds {kind_of(value)}, not text")
        return self._filled(field, value)

    def scalar(self, field: str) -> str:
        """A text, number or truth value as it is written in the file."""
        value = self._row[field]
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str):
            raise self._error(field, f"holds {kind_of(value)}; expected a text, a number or a truth value")
        return self._filled(field, value).strip()

    def found(self, example: Example, group_field: str | None, otherwise: str) -> Found:
        """`example`, grouped by the field of that name, or by what stands for it."""
        return Found(example, otherwise if group_field is None else self.scalar(group_field), self._line)

    def number(self, field: str, bounds: tuple[float, float] | None) -> float:
        """A finite number within `bounds`."""
        written = self.scalar(field)
        if not _NUMBER.fullmatch(written) or not math.isfinite(value := float(written)):
            raise self._error(field, f"holds {written[:40]!r}, not a number")
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            raise self._error(field, f"holds {written}, outside of {bounds[0]:g} to {bounds[1]:g} (score_range)")
        return value + 0.0  # no negative zero

    def place(self, field: str, count: int) -> int:
        """The number of one of `count` endings, from 0."""
        written = self.scalar(field)
        if not written.isascii() or not written.isdigit() or int(written) >= count:
            raise self._error(field, f"holds {written[:40]!r}; the {count} endings have the numbers 0 to {count - 1}")
        return int(written)

    def endings(self, fields: Sequence[str]) -> list[str]:
        """The texts of several fields, or of one field that holds a list."""
        if len(fields) > 1:
            return [self.text(field) for field in fields]
        (field,) = fields
        value = self._row[field]
        if not isinstance(value, list):
            raise self._error(field, f"holds {kind_of(value)}; expected a list of texts, the endings")
        if len(value) < 2:
            raise self._error(field, f"has {len(value)} of the endings; two are the least")
        for number, ending in enumerate(value):
            if not isinstance(ending, str):
                raise self._error(field, f"holds {kind_of(ending)} as ending {number}, not text")
            if not ending.strip():
                raise self._error(field, f"has an ending, number {number}, that is empty")
        return [tidy(str(ending)) for ending in value]

    def beginning(self, field: str) -> str:
        """A text with a blank behind it, or nothing."""
        value = self._row[field]
        if value is not None and not isinstance(value, str):
            raise self._error(field, f"holds {kind_of(value)}, not text")
        return f"{tidy(value).strip()} " if value and value.strip() else ""

    def answers(self, field: str, context: str) -> list[tuple[str, int]]:
        """Each answer once, with the character in `context` where it starts: −1 where it does not occur."""
        value: Any = self._row[field]
        starts: Any = []
        if isinstance(value, dict):
            value, starts = value.get("text"), value.get("answer_start", [])
            if not isinstance(value, list) or not isinstance(starts, list) or len(starts) not in (0, len(value)):
                raise self._error(field, 'expected {"text": [texts], "answer_start": [as many numbers]}')
        given = value if isinstance(value, list) else [value]
        found: dict[tuple[str, int], None] = {}
        for index, answer in enumerate(given):
            if not isinstance(answer, str):
                raise self._error(field, f"holds {kind_of(answer)}; expected a text or a list of texts")
            text = self._filled(field, answer).strip()
            found[text, self._start(field, starts[index], text, context) if starts else context.find(text)] = None
        return list(found)

    def _start(self, field: str, start: Any, text: str, context: str) -> int:
        if not isinstance(start, Number) or not start.isdigit() or not context.startswith(text, int(start)):
            raise self._error(field, f"the context does not hold {text[:80]!r} at character {start}")
        return int(start)

    def _filled(self, field: str, value: str) -> str:
        if not value.strip():
            raise self._error(field, "is empty")
        return tidy(str(value))

    def _error(self, field: str, message: str) -> DataError:
        return DataError(f"field {field!r} {message}", self._where, self._line)
