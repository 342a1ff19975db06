"""Readers of the evaluation files. A line that cannot be used is an error with its number, never skipped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firth.errors import DataError

SYNTACTIC_PREFIX = "gram"
"""Sections of the Google set whose name starts so are syntactic; the others are semantic (Mikolov et al. 2013a)."""


@dataclass(frozen=True, slots=True)
class Question:
    """`a` is to `b` as `c` is to `expected`."""

    section: str
    a: str
    b: str
    c: str
    expected: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two words and the mean of what people said about their similarity."""

    first: str
    second: str
    human: float


def parse_analogies(data: bytes, where: Path | str) -> list[Question]:
    """The questions of a file of `: section` lines, each followed by lines of four words; `where` leads errors."""
    questions: list[Question] = []
    section: str | None = None
    for number, line in _lines(data, where):
        if line.startswith(":"):
            section = line[1:].strip()
            if not section:
                raise DataError("expected the section's name after ':'", where, number)
            continue
        words = line.split()
        if len(words) != 4:
            raise DataError(f"expected four words, found {len(words)}: {line[:80]!r}", where, number)
        if section is None:
            raise DataError("expected a line such as ': family' before the first question", where, number)
        questions.append(Question(section, *words))
    if not questions:
        raise DataError("holds no analogy question", where)
    return questions


def parse_pairs(data: bytes, where: Path | str) -> list[Pair]:
    """The pairs of a file of `word<TAB>word<TAB>score` lines; # starts a comment line; `where` leads errors."""
    pairs: list[Pair] = []
    for number, line in _lines(data, where):
        if line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) != 3 or not all(fields):
            raise DataError(f"expected word, word and score between tabs, found {line[:80]!r}", where, number)
        try:
            human = float(fields[2])
        except ValueError:
            human = math.nan
        if not math.isfinite(human):
            raise DataError(f"expected a number as the score, found {fields[2][:40]!r}", where, number)
        pairs.append(Pair(fields[0], fields[1], human))
    if len(pairs) < 2:
        raise DataError(f"holds {len(pairs)} pairs; a rank correlation needs at least two", where)
    return pairs


def _lines(data: bytes, where: Path | str) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank, without their ends."""
    for number, raw in enumerate(data.splitlines(), start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise DataError(f"expected UTF-8, found byte 0x{raw[error.start]:02x}", where, number) from None
        if line:
            yield number, line
