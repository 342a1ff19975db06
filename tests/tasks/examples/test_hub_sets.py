"""Official sets as the hub has them: the same examples as out of their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from pydantic import TypeAdapter, ValidationError
from tests.tasks.examples.test_named_sets import examples_of, write_side

from firth import hub
from firth.config.tasks import AnyTask
from firth.errors import ConfigError, DataError
from firth.tasks.examples.build import build
from firth.tasks.examples.files import Examples, load
from firth.tasks.examples.hub import MEANING, PAIR, TEXTS, pin_split
from firth.tasks.examples.named import entry_of, entry_on_hub, official_set, official_sets
from firth.tasks.official.glue import TASKS

GLUE = [name for name in official_sets() if name.startswith("glue/")]
Serve = Callable[[dict[str, datasets.Dataset]], None]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Puts splits in the hub's place."""
    monkeypatch.setenv("FIRTH_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("firth.tasks.examples.hub.newest_revision", lambda name, asked: asked or f"newest of {name}")

    def put(splits: dict[str, datasets.Dataset]) -> None:
        def load_dataset(*_: Any, split: str, **__: Any) -> Any:
            return splits[split].to_iterable_dataset()

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)

    return put


def names_of(task: str) -> list[str]:
    """The hub's names of a set's classes, in the order of the official labels."""
    official = TASKS[task]
    if official.labels != ("0", "1"):
        return list(official.labels)
    names = {"cola": ("unacceptable", "acceptable"), "sst-2": ("negative", "positive"),
             "mrpc": ("not_equivalent", "equivalent"), "qqp": ("not_duplicate", "duplicate")}  # fmt: skip
    return list(names.get(task, ("not_entailment", "entailment")))


def as_on_hub(name: str, side: str, count: int) -> datasets.Dataset:
    """The rows of `write_side` as the hub has them."""
    task = TASKS[name]
    texts = TEXTS.get("mnli" if name.startswith("mnli") else name, PAIR)
    rows = []
    for number in range(count):
        row: dict[str, Any] = {text: f'{side} "{own} {number}' for text, own in zip(texts, task.texts, strict=True)}
        row["label"] = number % len(task.labels) if task.labels else number % 5 + 0.5
        rows.append(row | {"idx": number})
    kind: Any = datasets.ClassLabel(names=names_of(name)) if task.labels else datasets.Value("float32")
    features = {**{text: datasets.Value("string") for text in texts}, "label": kind, "idx": datasets.Value("int32")}
    return datasets.Dataset.from_list(rows, features=datasets.Features(features))


def on_hub(name: str, tmp_path: Path, **changes: Any) -> Examples:
    found = official_set(name)
    sides = {"train": "train", "dev": found.hub.dev}
    files = {side: pin_split(found.hub.dataset, found.hub.subset, split) for side, split in sides.items()}
    task: AnyTask = TypeAdapter(AnyTask).validate_python({**entry_on_hub(found), **files, **changes})
    build("t", task, tmp_path / "of-hub", tmp_path)
    return load(tmp_path / "of-hub")


@pytest.mark.parametrize("name", GLUE)
def test_glue_of_the_hub_gives_the_examples_of_its_files(name: str, tmp_path: Path, serve: Serve) -> None:
    task, found = TASKS[name.removeprefix("glue/")], official_set(name)
    write_side(tmp_path / task.folder / "train.tsv", task.name, 12, "train")
    write_side(tmp_path / task.folder / f"{task.dev}.tsv", task.name, 8, "dev")
    serve({"train": as_on_hub(task.name, "train", 12), found.hub.dev: as_on_hub(task.name, "dev", 8)})
    of_files, of_hub = examples_of(name, tmp_path), on_hub(name, tmp_path)
    assert of_hub.train == of_files.train
    assert of_hub.dev == of_files.dev
    assert of_hub.manifest["labels"] == of_files.manifest["labels"]


def test_every_binary_set_has_its_names() -> None:
    for task in TASKS.values():
        if task.labels == ("0", "1"):
            assert [MEANING[name] for name in names_of(task.name)] == ["0", "1"], task.name


def test_squad_swag_and_conll_of_the_hub(tmp_path: Path, serve: Serve) -> None:
    squad = [
        {"id": f"q{n}", "title": f"T{n % 4}", "context": f"Room {n} is red.", "question": "Which?",
         "answers": {"text": [f"Room {n}"] * 2, "answer_start": [0, 0]}}
        for n in range(12)
    ]  # fmt: skip
    serve({"train": datasets.Dataset.from_list(squad), "validation": datasets.Dataset.from_list(squad[:8])})
    found = on_hub("squad", tmp_path)
    answers = {example["context"]: example["answers"] for example in found.dev}
    assert answers["Room 3 is red."] == [{"text": "Room 3", "start": 0}]
    assert (found.manifest["length"], found.manifest["doc_stride"]) == (384, 128)

    swag = [
        {"sent1": f"He {n} runs.", "sent2": "Then", **{f"ending{k}": f"end {k}" for k in range(4)}, "label": n % 4}
        for n in range(8)
    ]
    label = datasets.ClassLabel(names=["0", "1", "2", "3"])
    rows = datasets.Dataset.from_list(swag).cast_column("label", label)
    serve({"train": rows, "validation": rows.select(range(4))})
    assert {example["endings"][1] for example in on_hub("swag", tmp_path).dev} == {"Then end 1"}

    tags = datasets.List(datasets.ClassLabel(names=["O", "B-PER", "I-PER"]))
    names = datasets.Dataset.from_list([{"tokens": ["Ann", f"Lee{n}", "ran"], "ner_tags": [1, 2, 0]} for n in range(8)])
    names = names.cast_column("ner_tags", tags)
    serve({"train": names, "validation": names.select(range(4))})
    assert on_hub("conll2003", tmp_path).dev[1]["tags"] == ["B-PER", "I-PER", "O"]


def test_splits_without_labels_or_of_another_set_are_refused(tmp_path: Path, serve: Serve) -> None:
    hidden = as_on_hub("rte", "test", 4).map(lambda _: {"label": -1})
    serve({"train": hidden, "validation": as_on_hub("rte", "dev", 4)})
    with pytest.raises(DataError, match=r"nyu-mll/glue \(rte\), train.*row 1 has no label: a test split"):
        on_hub("glue/rte", tmp_path)
    other = as_on_hub("qqp", "train", 4)
    serve({"train": other, "validation": other})
    with pytest.raises(DataError, match="no column 'sentence1', which RTE has; there are: question1, question2, label"):
        on_hub("glue/rte", tmp_path)


def test_what_is_pinned(tmp_path: Path, serve: Serve) -> None:
    serve({"train": as_on_hub("rte", "train", 4)})
    entry = pin_split("nyu-mll/glue@abc", "rte", "train")
    assert entry | {"sha256": ""} == {
        "kind": "hub", "dataset": "nyu-mll/glue", "subset": "rte", "split": "train", "revision": "abc", "sha256": "",
    }  # fmt: skip
    assert (tmp_path / "state" / hub.STORE / f"{entry['sha256']}.jsonl").is_file()
    first = json.loads((tmp_path / "state" / hub.STORE / f"{entry['sha256']}.jsonl").read_text().split("\n")[0])
    assert first["label"] == "entailment"
    with pytest.raises(ConfigError, match="--hub a/b@: write DATASET or DATASET@REVISION"):
        pin_split("a/b@", None, "train")


def test_other_formats_do_not_go_with_the_hub() -> None:
    split = {"kind": "hub", "dataset": "a/b", "split": "train", "revision": "c", "sha256": "0" * 64}
    values = {**entry_of(official_set("squad")), "train": split}
    with pytest.raises(ValidationError, match="format squad: what comes from the hub is read as jsonl, or as glue"):
        TypeAdapter(AnyTask).validate_python(values)


def test_a_text_may_hold_what_others_take_for_a_line_break(tmp_path: Path, serve: Serve) -> None:
    rows = as_on_hub("rte", "train", 4).map(lambda row: {"sentence1": f"one\u2028two\x85{row['sentence1']}"})
    serve({"train": rows, "validation": rows.select(range(3))})
    found = on_hub("glue/rte", tmp_path)
    assert len(found.dev) == 3
    assert all(example["first"].startswith("one\u2028two\x85") for example in found.dev)
