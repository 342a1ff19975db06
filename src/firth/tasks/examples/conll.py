"""Tagged sentences out of CoNLL columns, with IOB1 and BIOES tags rewritten as IOB2."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from firth.config.tasks import TaggingTask
from firth.errors import DataError
from firth.packing import Input, text_lines
from firth.records import tidy
from firth.tasks.examples.found import Found

OUTSIDE = "O"
_IOB = re.compile(r"[BIESLU]-.+")
_BEGINS = {"B": "B", "I": "I", "E": "I", "L": "I", "S": "B", "U": "B"}
_DOCUMENT = "-DOCSTART-"

Row = tuple[int, list[str]]


def read_tagged(stream: io.BufferedReader[Any], source: Input, task: TaggingTask) -> Iterator[Found]:
    """Examples `{"tokens", "tags"}` of one file: a word a line, sentences parted by blank lines.

    Columns are parted by tabs where a line has one, else by blanks. `-DOCSTART-` lines are no words; a line that starts
    with # and has other columns than the words is a comment. Tags other than IOB become IOB2 runs where entities are
    scored, and stay as they are (parts of speech) where accuracy is.

    Raises:
        DataError: a line with other columns than the first, an empty word or tag, or a tag outside its scheme.
    """
    sentences = [list(sentence) for sentence in _sentences(stream, source.where)]
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
    rewrite = _scheme(sentences, tag, source.where, entities=task.metric == "entity_f1")
    for sentence in sentences:
        tokens = [tidy(row[word].strip()) for _, row in sentence]
        yield Found({"tokens": tokens, "tags": rewrite([row[tag].strip() for _, row in sentence])}, " ".join(tokens))


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


def runs(tags: Sequence[str]) -> list[str]:
    """Plain tags as IOB2: a run of equal tags is one entity."""
    before = [OUTSIDE, *tags]
    return [
        tag if tag == OUTSIDE else f"{'I' if tag == last else 'B'}-{tag}"
        for last, tag in zip(before, tags, strict=False)
    ]


def _scheme(sentences: list[list[Row]], column: int, where: str, *, entities: bool) -> Any:
    """What rewrites the tags of a sentence; raises where they belong to no scheme."""
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
    return runs


def _sentences(stream: io.BufferedReader[Any], where: str) -> Iterator[list[Row]]:
    sentence: list[Row] = []
    width = 0
    # A file with old line ends (carriage returns) is one line for the stream.
    for line, text in ((line, part) for line, ended in text_lines(stream, where) for part in _parts(ended)):
        row = text.split("\t") if "\t" in text else text.split()
        if not text.strip() or row[0] == _DOCUMENT:
            if sentence:
                yield sentence
                sentence = []
            continue
        if row[0].startswith("#") and len(row) != width:
            continue
        width = width or len(row)
        if len(row) != width:
            raise DataError(f"{len(row)} columns, but the first word has {width}: {text[:80]!r}", where, line)
        sentence.append((line, row))
    if sentence:
        yield sentence


def _parts(ended: str) -> list[str]:
    return ended.removesuffix("\n").split("\n")


def _column(place: int, width: int, where: str) -> int:
    if not -width <= place < width:
        raise DataError(f"no column {place}; there are 0 to {width - 1}, or −1 to −{width} from the end", where)
    return place % width
