"""CoNLL's columns in, the same lines with the predicted tag as one more column out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from firth.errors import DataError
from firth.packing import ByteCount, Input, local, unpacked
from firth.progress import Meter, track
from firth.records import tidy
from firth.tasks.batch.predictors import Task
from firth.tasks.batch.writing import writing_text
from firth.tasks.examples.conll import OUTSIDE, Line, around, column_lines, iob1
from firth.tasks.usages.usage import Tags

_TAG = re.compile(r"O|[BI]-.+")


class Stretch(NamedTuple):
    """The lines of one sentence, and the one that ends it; or that one alone."""

    lines: list[Line]
    record: dict[str, Any]

    @property
    def words(self) -> list[Line]:
        """The lines that are words."""
        return [line for line in self.lines if line.what == "word"]


@dataclass
class Seen:
    """What the file itself has: how many sentences, and whether its last column is tags, and these are IOB1."""

    sentences: int = 0
    documents: int = 0
    all_tags: bool = True
    begins_inside: bool = False

    def look(self, stretch: Stretch) -> None:
        """At one more stretch."""
        self.sentences += bool(stretch.words)
        self.documents += stretch.lines[-1].what == "document"
        before = OUTSIDE
        for line in stretch.words:
            tag = line.fields[-1]
            self.all_tags = self.all_tags and _TAG.fullmatch(tag) is not None
            self.begins_inside = self.begins_inside or (tag.startswith("I-") and before[2:] != tag[2:])
            before = tag

    @property
    def iob1(self) -> bool:
        """Only there an entity begins with I-."""
        return self.all_tags and self.begins_inside


def predict_columns(predictor: Task, source: Path, target: Path, block: int) -> int:
    """Tag the words in the first column of `source`, plain or packed; `target` appears complete or not at all.

    The file is read twice: what cannot be used in its last line is to be known before the first word is tagged. Where
    its last column is tags of IOB1, the answers are written as IOB1, too.

    Returns:
        How many sentences there are.

    Raises:
        DataError: a line with other columns than the first word, an empty word; or no line -DOCSTART- for a model that
            reads the document around a sentence.
        FirthError: `target` cannot be written.
    """
    given, seen = local(source), Seen()
    for stretch in track(_stretches(given, predictor), "check", unit="sentences"):
        seen.look(stretch)
    if _context(predictor) and seen.sentences and not seen.documents:
        raise DataError("this model reads the document, and no line -DOCSTART- says where one begins", given.where)
    stretches = _stretches(given, predictor)
    with writing_text(target) as out, Meter(predictor.title, seen.sentences, "sentences") as meter:
        while read := list(islice(stretches, block)):
            answers = iter(predictor.answers([one.record for one in read if one.words]))
            for stretch in read:
                tags = next(answers)["prediction"] if stretch.words else []
                out.writelines(_with_tags(stretch.lines, iob1(tags) if seen.iob1 else tags))
            meter.advance(sum(bool(stretch.words) for stretch in read))
    return seen.sentences


def _stretches(given: Input, predictor: Task) -> Iterator[Stretch]:
    """All lines, with what the model reads of them; one document at a time where it reads the words around."""
    length = _context(predictor)
    with unpacked(given, ByteCount()) as stream:
        sentences = _sentences(column_lines(stream, given.where), given.where)
        if not length:
            for lines, tokens in sentences:
                yield Stretch(lines, predictor.record({"tokens": tokens}, given.where, lines[0].number))
            return
        for document in _documents(sentences):
            beside = around([tokens for _, tokens in document], length)
            for (lines, tokens), near in zip(document, beside, strict=True):
                yield Stretch(lines, predictor.record({"tokens": tokens, **near}, given.where, lines[0].number))


Sentence = tuple[list[Line], list[str]]


def _sentences(lines: Iterator[Line], where: str) -> Iterator[Sentence]:
    """Lines up to a blank one or one that begins a document, that one included, and the words in them."""
    found: list[Line] = []
    for line in lines:
        if line.what == "word" and not line.fields[0].strip():
            raise DataError(f"an empty word: {' '.join(line.fields)[:80]!r}", where, line.number)
        found.append(line)
        if line.what in ("end", "document"):
            yield found, _words(found)
            found = []
    if found:
        yield found, _words(found)


def _documents(sentences: Iterator[Sentence]) -> Iterator[list[Sentence]]:
    document: list[Sentence] = []
    for sentence in sentences:
        document.append(sentence)
        if sentence[0][-1].what == "document":
            yield document
            document = []
    yield document


def _words(lines: Sequence[Line]) -> list[str]:
    return [tidy(line.fields[0].strip()) for line in lines if line.what == "word"]


def _with_tags(lines: Sequence[Line], tags: Sequence[str]) -> Iterator[str]:
    """The lines as they are; words have a tag more, and so have lines of documents, which scorers take for words."""
    given = iter(tags)
    for line in lines:
        if line.what in ("word", "document"):
            tag = next(given) if line.what == "word" else OUTSIDE
            text = f"{line.text}\t" if "\t" in line.text else f"{line.text.rstrip()} "
            yield f"{text}{tag}\n"
        else:
            yield f"{line.text}\n"


def _context(predictor: Task) -> int:
    """How much is read of a document around a sentence; 0 where no model reads it."""
    usages = [usage for usage in predictor.usages if isinstance(usage, Tags)]
    return max((usage.length for usage in usages if usage.document_context), default=0)
