"""Tagged sentences out of CoNLL columns, with IOB1 and BIOES tags rewritten as IOB2."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple

from firth.config.tasks import TaggingTask
from firth.errors import DataError
from firth.packing import Input, text_lines
from firth.records import tidy
from firth.tasks.examples.found import Found

OUTSIDE = "O"
_IOB = re.compile(r"[BIESLU]-.+")
_LIKE_IOB = re.compile(r"[BIESLUbieslu][-_]")
_BEGINS = {"B": "B", "I": "I", "E": "I", "L": "I", "S": "B", "U": "B"}
_DOCUMENT = "-DOCSTART-"

Row = tuple[int, list[str]]


class Line(NamedTuple):
    """A line of a file of columns, with its fields."""

    number: int
    text: str
    fields: list[str]
    what: Literal["word", "end", "document", "comment"]
    """`end`: a blank line, which ends a sentence, as one that begins a document does."""


def read_tagged(stream: io.BufferedReader[Any], source: Input, task: TaggingTask) -> Iterator[Found]:
    """Examples `{"tokens", "tags"}` of one file: a word a line, sentences parted by blank lines.

    Columns are parted by tabs where a line has one, else by blanks. `-DOCSTART-` lines are no words, they part
    documents; a line that starts with # and has other columns than the words is a comment. Tags other than IOB become
    IOB2 runs where entities are scored, and stay as they are (parts of speech) where accuracy is.

    With `document_context` examples have `before` and `after` too: the words of their document around them, as many as
    may be read; then a document, not a sentence, stays on one side of a split.

    Raises:
        DataError: a line with other columns than the first, an empty word or tag, or a tag outside its scheme; or no
            `-DOCSTART-` line where the document is wanted.
    """
    documents = [list(document) for document in _documents(stream, source.where)]
    sentences = [sentence for document in documents for sentence in document]
    if not sentences:
        raise DataError("holds no tagged word", source.where)
    width = len(sentences[0][0][1])
    word, tag = (_column(place, width, source.where) for place in (task.token_column, task.tag_column))
    if word == tag:
        raise DataError(f"token_column and tag_column are both column {word} of {width}", source.where)
    for line, row in (row for sentence in sentences for row in sentence):
        if not row[word].strip() or not row[tag].strip():
            what = "tag" if row[word].strip() else "word"
            raise DataError(f"an empty {what}: {' '.join(row)[:80]!r}", source.where, line)
    if task.document_context and len(documents) == 1:
        raise DataError(f"document_context: no line {_DOCUMENT} says where a document begins", source.where)
    rewrite = scheme(sentences, tag, source.where, entities=task.metric == "entity_f1")
    for document in documents:
        words = [[tidy(row[word].strip()) for _, row in sentence] for sentence in document]
        whole = " ".join(chain.from_iterable(words)) if task.document_context else None
        beside = around(words, task.length) if task.document_context else [{} for _ in words]
        for sentence, tokens, near in zip(document, words, beside, strict=True):
            tags = rewrite([row[tag].strip() for _, row in sentence])
            yield Found({"tokens": tokens, "tags": tags, **near}, whole or " ".join(tokens), sentence[0][0])


def around(sentences: list[list[str]], length: int) -> list[dict[str, list[str]]]:
    """The words before and behind each sentence of a document, no more than fill `length` from both sides evenly."""
    words = list(chain.from_iterable(sentences))
    found, end = [], 0
    for sentence in sentences:
        start, end = end, end + len(sentence)
        room = max(0, length - len(sentence))
        behind = len(words) - end
        before = max((room + 1) // 2, room - behind)
        after = max((room + 1) // 2, room - start)
        found.append({"before": words[max(0, start - before) : start], "after": words[end : end + after]})
    return found


def iob2(tags: Sequence[str]) -> list[str]:
    """IOB1, IOB2 or BIOES tags as IOB2: an inside tag that continues nothing begins an entity."""
    written: list[str] = []
    before = OUTSIDE
    for tag in tags:
        prefix, _, kind = tag.partition("-")
        if tag == OUTSIDE:
            written.append(tag)
            before = OUTSIDE
            continue
        begins = _BEGINS[prefix] == "B" or before != kind
        written.append(f"{'B' if begins else 'I'}-{kind}")
        # The last word of an entity ends it: in BIOES another may follow without a beginning of its own.
        before = OUTSIDE if prefix in "ESLU" else kind
    return written


def iob1(tags: Sequence[str]) -> list[str]:
    """IOB2 tags as IOB1: an entity begins with I-, and with B- only right behind another one of its type."""
    written: list[str] = []
    before = ""
    for tag in tags:
        prefix, _, kind = tag.partition("-")
        written.append(f"I-{kind}" if prefix == "B" and kind and kind != before else tag)
        before = kind
    return written


def runs(tags: Sequence[str]) -> list[str]:
    """Plain tags as IOB2: a run of equal tags is one entity."""
    before = [OUTSIDE, *tags]
    return [
        tag if tag == OUTSIDE else f"{'I' if tag == last else 'B'}-{tag}"
        for last, tag in zip(before, tags, strict=False)
    ]


def scheme(
    sentences: list[list[Row]], column: int, where: str, *, entities: bool
) -> Callable[[Sequence[str]], list[str]]:
    """What rewrites the tags of a sentence: those in `column` of its rows, each with its line.

    Raises:
        DataError: they belong to no scheme.
    """
    first: dict[str, int] = {}
    for line, row in (row for sentence in sentences for row in sentence):
        first.setdefault(row[column].strip(), line)
    marked = [tag for tag in first if _IOB.fullmatch(tag)]
    other = [tag for tag in first if tag != OUTSIDE and not _IOB.fullmatch(tag)]
    if marked and not other:
        return iob2
    if not entities:
        return list
    if marked:
        expected = f"neither {OUTSIDE} nor, as {marked[0]!r} is, B- or I- with a type"
        raise DataError(f"tag {other[0]!r} is {expected}", where, first[other[0]])
    if OUTSIDE not in first:
        shown = ", ".join(list(first)[:5])
        raise DataError(f"no word has the tag {OUTSIDE} (there are {shown}); for such tags set metric: accuracy", where)
    if other and all(map(_LIKE_IOB.match, other)):
        expected = f"no IOB tag: these are {OUTSIDE}, and B- or I- with a type, in capitals and with a hyphen"
        raise DataError(f"tag {other[0]!r} is {expected}", where, first[other[0]])
    return runs


def _documents(stream: io.BufferedReader[Any], where: str) -> Iterator[list[list[Row]]]:
    """The sentences before the first line that says that a document begins, and behind each such line."""
    document: list[list[Row]] = []
    for sentence in _sentences(stream, where):
        if sentence:
            document.append(sentence)
        else:
            yield document
            document = []
    yield document


def _sentences(stream: io.BufferedReader[Any], where: str) -> Iterator[list[Row]]:
    """The rows of each sentence, and none where a document begins."""
    sentence: list[Row] = []
    for line in column_lines(stream, where):
        if line.what == "word":
            if len(line.fields) == 1:
                raise DataError(f"one column, {line.text[:80]!r}: a word without a tag", where, line.number)
            sentence.append((line.number, line.fields))
        elif line.what != "comment":
            if sentence:
                yield sentence
                sentence = []
            if line.what == "document":
                yield []
    if sentence:
        yield sentence


def column_lines(stream: io.BufferedReader[Any], where: str) -> Iterator[Line]:
    """All lines of a file of columns.

    Raises:
        DataError: a word has other columns than the first one.
    """
    width = 0
    # A file with old line ends (carriage returns) is one line for the stream.
    for number, text in ((line, part) for line, ended in text_lines(stream, where) for part in _parts(ended)):
        row = text.split("\t") if "\t" in text else text.split()
        if row and row[0] == _DOCUMENT:
            yield Line(number, text, row, "document")
        elif not text.strip():
            yield Line(number, text, row, "end")
        elif row[0].startswith("#") and len(row) != width:
            yield Line(number, text, row, "comment")
        else:
            width = width or len(row)
            if len(row) != width:
                what = f"{len(row)} columns" if len(row) > 1 else "one column (a word without a tag?)"
                raise DataError(f"{what}, but the first word has {width}: {text[:80]!r}", where, number)
            yield Line(number, text, row, "word")


def _parts(ended: str) -> list[str]:
    return ended.removesuffix("\n").split("\n")


def _column(place: int, width: int, where: str) -> int:
    if not -width <= place < width:
        raise DataError(f"no column {place}; there are 0 to {width - 1}, or −1 to −{width} from the end", where)
    return place % width
