"""A folder of examples is checked when it is read; its dev texts are those that may not be trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firth.canonical import read_json
from firth.errors import IntegrityError
from firth.tasks.examples.files import dev_texts, load, write

EXAMPLES = {
    "text": {"id": "1", "text": "A text.", "label": "x"},
    "pair": {"id": "1", "first": "One.", "second": "Two.", "label": "x"},
    "span": {"id": "1", "context": "In it.", "question": "Where?", "answers": [{"text": "it", "start": 3}]},
    "tagging": {"id": "1", "tokens": ["In", "Rome"], "tags": ["O", "B-LOC"]},
}
TEXTS = {"text": ["A text."], "pair": ["One.", "Two."], "span": ["In it.", "Where?"], "tagging": ["In Rome"]}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_was_written_is_read_and_gives_its_texts(tmp_path: Path, kind: str) -> None:
    example = EXAMPLES[kind]
    write(tmp_path, {"train": [], "dev": [example, example]}, {"kind": kind})
    found = load(tmp_path)
    assert (found.kind, found.train, found.dev) == (kind, [], [example, example])
    assert dev_texts(tmp_path) == TEXTS[kind]
    line = (tmp_path / "dev.jsonl").read_text().splitlines()[0]
    assert line.startswith('{"id": ')
    assert json.loads(line) == example


def test_a_torn_or_missing_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"train": [], "dev": [EXAMPLES["text"]]}, {"kind": "text"})
    assert read_json(tmp_path / "manifest.json")["files"]["dev.jsonl"]["examples"] == 1
    (tmp_path / "dev.jsonl").write_text("{}\n")
    with pytest.raises(IntegrityError, match=r"dev\.jsonl: not the bytes"):
        dev_texts(tmp_path)
    (tmp_path / "train.jsonl").unlink()
    with pytest.raises(IntegrityError, match=r"train\.jsonl: missing"):
        load(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(IntegrityError, match="not the manifest of a task's examples"):
        load(tmp_path)
