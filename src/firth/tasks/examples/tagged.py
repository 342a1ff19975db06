"""Tagged sentences out of JSON Lines: a list of words and a list of their tags in each record."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from firth.config.tasks import TaggingTask
from firth.errors import DataError
from firth.packing import Input
from firth.records import kind_of, tidy
from firth.tasks.examples.conll import Row, scheme
from firth.tasks.examples.found import Found
from firth.tasks.examples.tables import Number, rows

WORD, TAG = 0, 1


def read_tagged_records(stream: io.BufferedReader[Any], source: Input, task: TaggingTask) -> Iterator[Found]:
    """Examples `{"tokens", "tags"}` of one file; tags are read as those of CoNLL columns are.

    Raises:
        DataError: a field that is no list of words or tags, lists of different lengths, an empty one, or a tag outside
            its scheme; with the line.
    """
    fields = [task.tokens_field or "tokens", task.tags_field or "tags"]
    fields += [] if task.group_field is None else [task.group_field]
    sentences, groups = list[list[Row]](), list[str]()
    for line, record in rows(stream, source.where, "jsonl", fields):
        words, tags = (_list(record[name], name, source.where, line) for name in fields[:2])
        if len(words) != len(tags):
            raise DataError(
                f"{len(words)} words in {fields[0]!r}, but {len(tags)} tags in {fields[1]!r}", source.where, line
            )
        if not words:
            continue  # hubs have empty sentences where a document begins
        sentences.append([(line, [word, tag]) for word, tag in zip(words, tags, strict=True)])
        groups.append(" ".join(words) if task.group_field is None else str(record[task.group_field]))
    if not sentences:
        raise DataError("holds no tagged word", source.where)
    rewrite = scheme(sentences, TAG, source.where, entities=task.metric == "entity_f1")
    for sentence, group in zip(sentences, groups, strict=True):
        tokens = [tidy(row[WORD].strip()) for _, row in sentence]
        tags = rewrite([row[TAG].strip() for _, row in sentence])
        yield Found({"tokens": tokens, "tags": tags}, group, sentence[0][0])


def _list(value: Any, field: str, where: str, line: int) -> list[str]:
    if not isinstance(value, list):
        raise DataError(f"field {field!r} holds {kind_of(value)}; expected a list of texts", where, line)
    for place, one in enumerate(value):
        if isinstance(one, Number):
            raise DataError(
                f"field {field!r} holds the number {one} at place {place}; tags and words are texts (of tags that are "
                "numbers, write the names)", where, line,
            )  # fmt: skip
        if not isinstance(one, str) or not one.strip():
            what = "an empty text" if isinstance(one, str) else kind_of(one)
            raise DataError(f"field {field!r} holds {what} at place {place}; expected a word or tag", where, line)
    return value
