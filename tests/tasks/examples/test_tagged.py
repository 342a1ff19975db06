"""Tagged sentences in JSON Lines: the same examples as in CoNLL columns, and what is wrong by line and place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.tasks.examples.conftest import task_of

from firth.errors import DataError
from firth.tasks.examples.files import Examples

Built = Callable[..., Examples]
SENTENCES = [([f"Anna{n}", "saw", "New", "York"], ["I-PER", "O", "B-LOC", "I-LOC"]) for n in range(40)]


def lines(sentences: list[tuple[list[str], list[str]]], tokens: str = "tokens", tags: str = "tags") -> str:
    return "".join(json.dumps({tokens: words, tags: given, "page": "p"}) + "\n" for words, given in sentences)


def test_records_give_the_examples_of_columns(built: Built) -> None:
    columns = "".join(
        "".join(f"{word} {tag}\n" for word, tag in zip(*sentence, strict=True)) + "\n" for sentence in SENTENCES
    )
    of_columns = built("tagging", columns, "a.conll")
    of_records = built("tagging", lines([([], []), *SENTENCES]), format="jsonl")
    assert of_records.train == of_columns.train
    assert of_records.dev == of_columns.dev
    assert of_records.train[0]["tags"] == ["B-PER", "O", "B-LOC", "I-LOC"]


def test_fields_and_groups_of_ones_own(built: Built) -> None:
    found = built(
        "tagging", lines(SENTENCES, "words", "ner"), dev=lines(SENTENCES[:3], "words", "ner"),
        format="jsonl", tokens_field="words", tags_field="ner", keep_repeats=True,
    )  # fmt: skip
    assert (len(found.train), len(found.dev)) == (40, 3)
    with pytest.raises(DataError, match="of 40 examples in 1 group none is on the"):
        built("tagging", lines(SENTENCES), format="jsonl", group_field="page")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "2 words in 'tokens', but 1 tags in 'tags'"),
        ({"tokens": "a b", "tags": ["O"]}, "field 'tokens' holds a string; expected a list of texts"),
        ({"tokens": ["a"], "tags": [3]}, "field 'tags' holds the number 3 at place 0; .* write the names"),
        ({"tokens": ["a", " "], "tags": ["O", "O"]}, "field 'tokens' holds an empty text at place 1"),
        ({"tokens": ["a"], "tags": [None]}, "field 'tags' holds null at place 0"),
        ({"tokens": ["a"]}, "no field 'tags'; there are: tokens"),
        ({"tokens": ["a"], "tags": ["PER"]}, "tag 'PER' is neither O nor, as 'I-PER' is, B- or I- with a type"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(built: Built, record: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=rf"a\.jsonl.*41.*{message}"):
        built("tagging", lines(SENTENCES) + json.dumps(record) + "\n", format="jsonl")


def test_a_file_of_nothing_but_empty_sentences(built: Built) -> None:
    with pytest.raises(DataError, match="holds no tagged word"):
        built("tagging", lines([([], [])]), format="jsonl")


@pytest.mark.parametrize(
    ("form", "field", "value"),
    [("jsonl", "tag_column", 3), ("jsonl", "document_context", True), ("conll", "tags_field", "ner"),
     ("conll", "group_field", "page")],
)  # fmt: skip
def test_what_belongs_to_the_other_format_is_refused(folder: Path, form: str, field: str, value: object) -> None:
    (folder / "a").write_text("x")
    with pytest.raises(ValidationError, match=f"{field} does not go with format {form}"):
        task_of("tagging", folder, "a", format=form, **{field: value})
