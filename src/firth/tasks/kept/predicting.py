"""Answers of a kept model, or of several together, to records that they have never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from firth.errors import DataError
from firth.records import kind_of, no_field, tidy
from firth.tasks.encoders.reading import Reading
from firth.tasks.kept import ensemble
from firth.tasks.kept.folder import Kept
from firth.tasks.usages.usage import Answer, Record

LISTS = {"tokens": 0, "endings": 2, "before": 0, "after": 0}
"""Fields that hold texts in the plural, and how many they have at least."""


Seen = Callable[[Reading], None]
"""Told how a model has read the records."""


def predict(
    kept: Kept,
    records: Sequence[Record],
    best: int = 0,
    beside: Sequence[Kept] = (),
    seen: Seen | None = None,
    blank: bool = False,
) -> list[Answer]:
    """One answer for each record, in order; records without text get one that says nothing (`Usage.nothing`).

    Args:
        kept: the model.
        records: as `record` gives them; by the kind of task `text`; `first`, `second`; `context`, `question`;
            `tokens`; or `context`, `endings`. Other fields are passed over.
        best: above 0, the so many best answers of each record stand in its answer as `best`, where there are several.
        beside: further models of the same question, whose outputs are averaged with its own.
        seen: told what each model has read of the records that have text: `Reading.cut` says what it has not.
        blank: records without text are answered like others, from what a model makes of nothing.

    Returns:
        `prediction`: a label, a number, an ending's number, the tags in a list, or an answer's text. With it for text,
        pair and choice `probability`, for span `start` and `end` (characters of the context) and `score`.
    """
    usage = kept.usage
    answers = [dict(usage.nothing) for _ in records]
    filled = [n for n, one in enumerate(records) if blank or all(_has_text(one[field]) for field in usage.fields)]
    if filled:
        chosen = [records[number] for number in filled]
        if beside:
            found = ensemble.answers([kept, *beside], chosen, best, seen)
        else:
            reading = usage.read(kept.encoder, chosen)
            if seen is not None:
                seen(reading)
            found = usage.answers(kept.model.logits(reading), reading, chosen, best)
        for number, answer in zip(filled, found, strict=True):
            answers[number] = answer
    return answers


def record(kept: Kept, values: Record, where: str | None = None, line: int | None = None) -> dict[str, Any]:
    """The fields of `values` that the model reads. Words may be one text with blanks between them; null is no text.

    Raises:
        DataError: a field is missing, or holds something else than text; it names the file and the line.
    """
    taken = {}
    for field in kept.usage.fields:
        if field not in values:
            raise DataError(no_field(field, list(values)), where, line)
        taken[field] = _texts(field, values[field], where, line)
    if kept.kind == "tagging":
        taken |= {field: _texts(field, values[field], where, line) for field in ("before", "after") if field in values}
    return taken


def _texts(field: str, value: Any, where: str | None, line: int | None) -> str | list[str]:
    if field not in LISTS:
        if value is not None and not isinstance(value, str):
            raise DataError(f"field {field!r} holds {kind_of(value)}, not text", where, line)
        return tidy(value or "")
    if field != "endings" and (value is None or isinstance(value, str)):
        return tidy(value or "").split()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        found = kind_of(value) if not isinstance(value, list) else "a list that is not of texts"
        raise DataError(f"field {field!r} holds {found}; expected a list of texts", where, line)
    if len(value) < LISTS[field]:
        raise DataError(f"field {field!r} has {len(value)} texts; {LISTS[field]} are the least", where, line)
    return [tidy(one) for one in value]


def _has_text(value: str | Sequence[str]) -> bool:
    return bool(value.strip()) if isinstance(value, str) else len(value) > 0
