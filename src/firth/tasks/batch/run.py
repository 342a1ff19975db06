"""A file of records in, the same records with answers out: in order, one row in, one row out, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from firth.errors import DataError, FirthError
from firth.progress import Meter, track
from firth.records import no_field
from firth.tasks.batch.formats import Format, check_target, with_header
from firth.tasks.batch.predictors import Predictor
from firth.tasks.batch.reading import LINES, Row, Table, ending_of
from firth.tasks.batch.writing import check_ending, may_differ, writing

BLOCK = 256
"""Records that are in memory at a time."""

Fields = Mapping[str, Sequence[str]]
"""What a predictor calls a field -> what the file calls it; several for a list of texts, such as endings."""


def check(source: Path, target: Path, form: Format | None = None) -> None:
    """What can be said before a model is loaded; `form` is of an official file.

    Raises:
        FirthError: a name says no format, or both are one file.
    """
    if form is None:
        ending_of(source)
        check_ending(target)
    else:
        check_target(target, form)
    if target.exists() and source.exists() and target.samefile(source):
        raise FirthError(f"{target}: is the input; name another file to write")


def predict_file(predictor: Predictor, source: Path, target: Path, fields: Fields, block: int = BLOCK) -> int:
    """Answer the records of `source` and write them to `target`, which appears complete or not at all.

    The file is read twice: what cannot be used in its last line is to be known before the first one is answered.

    Returns:
        How many records there were.

    Raises:
        DataError: a record cannot be used, or has fields under names of the answer; with its line.
        FirthError: `target` cannot be written.
    """
    table = Table(source, _line_field(predictor, source))
    count = _checked(predictor, table, fields, alike=not may_differ(target))
    rows = table.rows()
    with writing(target, table, predictor.columns) as writer, Meter(predictor.title, count, "rows") as meter:
        while read := list(islice(rows, block)):
            writer.write(read, predictor.answers([_record(predictor, row, table, fields) for row in read]))
            meter.advance(len(read))
    return count


def _checked(predictor: Predictor, table: Table, fields: Fields, alike: bool) -> int:
    """How many records there are; each can be used, and with `alike` all have the first one's fields."""
    count, first = 0, None
    for row in track(table.rows(), "check", unit="rows"):
        _record(predictor, row, table, fields)
        first = first if first is not None else row.values.keys()
        if alike and row.values.keys() != first:
            other = ", ".join(sorted(row.values.keys() ^ first))
            raise DataError(
                f"has other fields than the first record ({other}); write .jsonl, where fields may differ",
                table.where,
                row.line,
            )
        count += 1
    return count


def _line_field(predictor: Predictor, source: Path) -> str:
    if ending_of(source) == LINES and len(predictor.fields) > 1:
        raise DataError(
            f"a line has one text, and {' and '.join(predictor.fields)} are read; give them as fields of a .csv, .tsv "
            "or .jsonl file",
            source,
        )
    return predictor.fields[0]


def _record(predictor: Predictor, row: Row, table: Table, fields: Fields) -> Any:
    if taken := [name for name in predictor.columns if name in row.values]:
        raise DataError(
            f"has a field {taken[0]!r}, and the answer has one of that name; rename it", table.where, row.line
        )
    values = dict(row.values)
    for name, theirs in _given(fields, row.values):
        if missing := [field for field in theirs if field not in row.values]:
            raise DataError(no_field(missing[0], list(row.values)), table.where, row.line)
        found = [row.values[field] for field in theirs]
        values[name] = found if len(found) > 1 else found[0]
    if missing := [name for name in predictor.fields if name not in values]:
        said = no_field(missing[0], list(row.values))
        end = " " if said.endswith("?") else ". "
        official = " or ".join(with_header(table.header or []))
        remedy = f"--format {official}" if official else f"--field {missing[0]}=COLUMN where it has another name"
        raise DataError(f"{said}{end}Say {remedy}", table.where, row.line)
    return predictor.record(values, table.where, row.line)


def _given(fields: Fields, values: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    yield from fields.items()
    if "endings" not in fields and "endings" not in values and "ending0" in values:
        numbered = (f"ending{number}" for number in range(len(values)))
        yield "endings", [name for name in numbered if name in values]
