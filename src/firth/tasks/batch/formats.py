"""Official files that are answered as a whole: SQuAD's questions, CoNLL's columns, the rows of GLUE's sets and SWAG.

The first two are told by name, too, the others by an option alone: they have the endings of any table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from firth.errors import FirthError
from firth.packing import unpacked_name
from firth.tasks.batch import writing
from firth.tasks.batch.numbered import GLUE, SWAG, kind_of
from firth.tasks.batch.unread import ROWS, Units
from firth.tasks.official import swag
from firth.tasks.official.glue import TASKS


class Format(NamedTuple):
    """A kind of official file."""

    name: str
    what: str
    kind: str
    """Of model that answers."""
    units: Units


FORMATS: Mapping[str, Format] = {
    form.name: form
    for form in (
        Format("squad", "SQuAD's JSON", "span", ("question", "questions")),
        Format("conll", "a file of columns", "tagging", ("sentence", "sentences")),
        Format(SWAG, "SWAG's CSV", "choice", ROWS),
        *(Format(f"{GLUE}{name}", f"a file of {task.title}", kind_of(task), ROWS) for name, task in TASKS.items()),
    )
}
ENDINGS: Mapping[str, str] = {
    ".json": "squad", ".conll": "conll", ".train": "conll", ".testa": "conll", ".testb": "conll",
}  # fmt: skip
"""Formats by the ending of an unpacked file's name; CoNLL-2003 calls its files eng.testa and so on."""


def format_of(source: Path, asked: str | None) -> Format | None:
    """What `source` is, of the name `asked` if one is given; None where it holds records, or its name says nothing.

    Raises:
        FirthError: no such format.
    """
    if asked is not None and asked.lower() not in FORMATS:
        raise FirthError(f"--format {asked}: no such format; there are {', '.join(FORMATS)}")
    name = asked.lower() if asked else ENDINGS.get(PurePosixPath(unpacked_name(source.name)).suffix.lower())
    return None if name is None else FORMATS[name]


def with_header(columns: Sequence[str]) -> list[str]:
    """The formats whose official files have that header: what a table is that was taken for records."""
    found = tuple(columns)
    glue = [f"{GLUE}{name}" for name, task in TASKS.items() if found in task.columns.values()]
    return [*glue, *([SWAG] if found in (swag.HEADER, swag.HEADER[:-1]) else [])]


def check_target(target: Path, form: Format) -> None:
    """`FirthError` where the name of the file to write says another format than that of the answers."""
    ending = target.suffix.lower()
    if form.name == "squad" and ending != ".json":
        raise FirthError(f'{target}: answers to {form.what} are written as {{"id": "answer"}}; name a .json file')
    if form.name == "conll" and ending in (*writing.ENDINGS, ".json"):
        raise FirthError(f"{target}: tags are written into columns; name a .txt or .conll file")
    if form.units == ROWS and ending != ".tsv":
        raise FirthError(f"{target}: answers to {form.what} are written as index<TAB>prediction; name a .tsv file")


def check_kind(source: Path, form: Format, kind: str) -> None:
    """`FirthError` where a model of `kind` does not answer such a file."""
    if kind != form.kind:
        raise FirthError(f"{source}: {form.what} is for a {form.kind} model, and this one is for {kind}")
