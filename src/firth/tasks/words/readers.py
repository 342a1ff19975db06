"""Readers of the evaluation files. A line that cannot be used is an error with its number, never skipped."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from firth.errors import DataError

SYNTACTIC_PREFIX = "gram"
"""Sections of the Google set whose name starts so are syntactic; the others are semantic (Mikolov et al. 2013a)."""

HEADER = re.compile(r"\b(word|term)[ _]?[12]\b|\b(score|human|mean|rating|similarity|simlex\d*)\b", re.IGNORECASE)
"""What tells a header of a similarity file from a pair whose score is broken, which must not be lost."""

COLUMNS = 3
"""Of a similarity file, at least: two words and a score."""


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
    """The pairs of a file with two words and a score a line, between tabs, commas or blanks; `where` leads errors.

    The first line that is neither blank nor a comment (#) shows how the file is cut: by tabs if it has one, else by
    commas, else by blanks. A header line (`word1`, `Word 1`, … of which a name tells it: see `HEADER`) is passed over.
    The words are the first two columns, the score the third, or the first column with a number where that is another;
    further columns are left alone, but each line must have as many as the first.
    """
    lines = [(number, line) for number, line in _lines(data, where) if not line.startswith("#")]
    if not lines:
        raise DataError("holds no pairs", where)
    cut = next((cut for cut in ("\t", ",") if cut in lines[0][1]), None)
    table = [(number, line, _fields(line, cut)) for number, line in lines]
    width = len(table[0][2])
    first, second, score = _columns(table[min(1, len(table) - 1)][2][:width])
    if HEADER.search(table[0][1]) and width >= COLUMNS and not _is_number(table[0][2][score]):
        del table[0]
    pairs: list[Pair] = []
    for number, line, fields in table:
        if len(fields) != width or width < COLUMNS or not all(fields[column] for column in (first, second, score)):
            between = {"\t": "tabs", ",": "commas", None: "blanks"}[cut]
            wanted = "word, word and score" if width <= COLUMNS else f"{width} fields, as in the first line,"
            raise DataError(f"expected {wanted} between {between}, found {line[:80]!r}", where, number)
        if not _is_number(fields[score]):
            hint = "; a header line starts with #" if number == table[0][0] else ""
            raise DataError(f"expected a number as the score, found {fields[score][:40]!r}{hint}", where, number)
        pairs.append(Pair(fields[first], fields[second], float(fields[score])))
    if len(pairs) < 2:
        raise DataError(f"holds {len(pairs)} pairs; a rank correlation needs at least two", where)
    return pairs


def _fields(line: str, cut: str | None) -> list[str]:
    if cut == ",":
        return [field.strip() for field in next(csv.reader([line]))]
    return [field.strip() for field in line.split(cut)]


def _columns(fields: Sequence[str]) -> tuple[int, int, int]:
    """Where the first word, the second word and the score stand in a line."""
    numbers = [column for column, field in enumerate(fields) if _is_number(field)]
    if not numbers or 2 in numbers:  # a word may look like a number, too
        return 0, 1, 2
    words = [column for column in range(len(fields)) if column not in numbers]
    return (words[0], words[1], numbers[0]) if len(words) > 1 else (0, 1, 2)


def _is_number(field: str) -> bool:
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False


def _lines(data: bytes, where: Path | str) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank, without their ends."""
    for number, raw in enumerate(data.splitlines(), start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise DataError(f"expected UTF-8, found byte 0x{raw[error.start]:02x}", where, number) from None
        if line:
            yield number, line
