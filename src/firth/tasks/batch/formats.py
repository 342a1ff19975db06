"""Official files that are answered as a whole: SQuAD's questions and CoNLL's columns, told by name or by an option."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from firth.errors import FirthError
from firth.packing import unpacked_name
from firth.tasks.batch import writing

Format = Literal["squad", "conll"]

ENDINGS: Mapping[str, Format] = {
    ".json": "squad", ".conll": "conll", ".train": "conll", ".testa": "conll", ".testb": "conll",
}  # fmt: skip
"""Formats by the ending of an unpacked file's name; CoNLL-2003 calls its files eng.testa and so on."""
WHAT: Mapping[Format, str] = {"squad": "SQuAD's JSON", "conll": "a file of columns"}
KINDS: Mapping[Format, str] = {"squad": "span", "conll": "tagging"}
"""The kind of model that answers."""
UNITS: Mapping[Format, tuple[str, str]] = {"squad": ("question", "questions"), "conll": ("sentence", "sentences")}


def format_of(source: Path, asked: Format | None) -> Format | None:
    """What `source` is; None where it holds records, or its name says nothing."""
    return asked or ENDINGS.get(PurePosixPath(unpacked_name(source.name)).suffix.lower())


def check_target(target: Path, form: Format) -> None:
    """`FirthError` where the name of the file to write says another format than that of the answers."""
    ending = target.suffix.lower()
    if form == "squad" and ending != ".json":
        raise FirthError(f'{target}: answers to {WHAT[form]} are written as {{"id": "answer"}}; name a .json file')
    if form == "conll" and ending in (*writing.ENDINGS, ".json"):
        raise FirthError(f"{target}: tags are written into columns; name a .txt or .conll file")


def check_kind(source: Path, form: Format, kind: str) -> None:
    """`FirthError` where a model of `kind` does not answer such a file."""
    if kind != KINDS[form]:
        raise FirthError(f"{source}: {WHAT[form]} is for a {KINDS[form]} model, and this one is for {kind}")
