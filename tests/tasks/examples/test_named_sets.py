"""Official sets by name: found in their folders, read by their own columns, told apart from other files."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from firth.canonical import file_sha256
from firth.config.tasks import AnyTask
from firth.errors import ConfigError, DataError
from firth.tasks.examples.build import build
from firth.tasks.examples.files import Examples, load
from firth.tasks.examples.named import entry_of, entry_on_hub, files_of, official_counts, official_set, official_sets
from firth.tasks.official.glue import TASKS

NAMES = [name for name in official_sets() if name.startswith("glue/")]
DATA = Path(os.environ.get("FIRTH_DATA", "not-there"))


def write_side(path: Path, name: str, count: int, side: str, packed: bool = False) -> None:
    """A made-up file of GLUE in the official form, `count` rows."""
    task = TASKS[name]
    columns = task.columns[side]  # type: ignore[index]
    lines = ["\t".join(columns)] if task.header or side == "test" else []
    for number in range(count):
        label = task.labels[number % len(task.labels)] if task.labels else f"{number % 5}.5"
        row = dict.fromkeys(columns, "x") | {text: f'{side} "{text} {number}' for text in task.texts}
        row |= {task.index: str(number)} if task.index in columns else {}
        row |= {task.label: label} if side != "test" else {}
        lines.append("\t".join(row[column] for column in columns))
    data = ("\n".join(lines) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(data) if packed else data)


def task_of(name: str, data: Path, **changes: object) -> AnyTask:
    found = official_set(name)
    files = {
        side: {"kind": "files", "path": str(path), "sha256": file_sha256(path)}
        for side, path in files_of(found, data).items()
    }
    task: AnyTask = TypeAdapter(AnyTask).validate_python({**entry_of(found), **files, **changes})
    return task


def examples_of(name: str, data: Path, **changes: object) -> Examples:
    build("t", task_of(name, data, **changes), data / "out", data)
    return load(data / "out")


@pytest.mark.parametrize("name", NAMES)
def test_every_set_of_glue_is_read_by_its_own_columns(name: str, tmp_path: Path) -> None:
    task = TASKS[name.removeprefix("glue/")]
    write_side(tmp_path / task.folder / "train.tsv", task.name, 12, "train")
    write_side(tmp_path / task.folder / f"{task.dev}.tsv.xz", task.name, 8, "dev", packed=True)
    if task.folder == "MNLI":
        other = {"dev_matched": "mnli-mm", "dev_mismatched": "mnli-m"}[task.dev]
        write_side(tmp_path / task.folder / f"{TASKS[other].dev}.tsv", other, 3, "dev")
    found = examples_of(name, tmp_path)
    assert (len(found.train), len(found.dev)) == (12, 8)
    texts = {example.get("text", example.get("first")) for example in found.dev}
    assert f'dev "{task.texts[0]} 3' in texts
    if task.labels:
        assert found.manifest["labels"] == sorted(task.labels)
    else:
        assert {example["score"] for example in found.dev} == {0.5, 1.5, 2.5, 3.5, 4.5}
    inner = examples_of(name, tmp_path / task.folder)
    assert inner.dev == found.dev, "the set's own folder does as well"


def test_texts_of_both_sides_are_kept_as_the_published_scores_have_them(tmp_path: Path) -> None:
    rows = "".join(f"s\t{n % 2}\t\tIt is {n}.\n" for n in range(6))
    (tmp_path / "train.tsv").write_text(rows)
    (tmp_path / "dev.tsv").write_text("".join(rows.splitlines(keepends=True)[:2]))
    assert len(examples_of("glue/cola", tmp_path).train) == 6
    assert len(examples_of("glue/cola", tmp_path, keep_repeats=False).train) == 4


def test_a_part_of_a_set_and_two_that_could_be_meant(tmp_path: Path) -> None:
    write_side(tmp_path / "train_subset.tsv.xz", "rte", 4, "train", packed=True)
    write_side(tmp_path / "dev.tsv", "rte", 4, "dev")
    found = official_set("glue/rte")
    assert files_of(found, tmp_path)["train"].name == "train_subset.tsv.xz"
    write_side(tmp_path / "train-2.tsv", "rte", 4, "train")
    with pytest.raises(DataError, match=r"several files could be train\.tsv: train-2\.tsv, train_subset\.tsv\.xz"):
        files_of(found, tmp_path)
    write_side(tmp_path / "train.tsv", "rte", 4, "train")
    assert files_of(found, tmp_path)["train"].name == "train.tsv"
    write_side(tmp_path / "training.tsv", "rte", 4, "train")
    assert files_of(found, tmp_path)["train"].name == "train.tsv", "another word"


@pytest.mark.parametrize("below", ["RTE", "rte", "glue/RTE", "GLUE/RTE", "glue/rte"])
def test_a_set_is_found_below_the_folder_of_all_sets(tmp_path: Path, below: str) -> None:
    folder = tmp_path / below
    folder.mkdir(parents=True)
    for side in ("train", "dev"):
        write_side(folder / f"{side}.tsv", "rte", 4, side)
    assert files_of(official_set("glue/rte"), tmp_path) == {side: folder / f"{side}.tsv" for side in ("train", "dev")}
    with pytest.raises(DataError, match=r"no file train\.tsv there, plain or packed, nor a folder MRPC$"):
        files_of(official_set("glue/mrpc"), tmp_path)


def test_what_is_wrong_is_said_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="glue/mmlu: no official set; there are glue/cola, "):
        official_set("glue/mmlu")
    with pytest.raises(ConfigError, match=r"two dev sides; say glue/mnli-m \(matched\) or glue/mnli-mm"):
        official_set("glue/MNLI")
    with pytest.raises(DataError, match="no such folder"):
        files_of(official_set("squad"), tmp_path / "no")
    with pytest.raises(DataError, match=r"no file dev-v1\.1\.json there, plain or packed"):
        (tmp_path / "train-v1.1.json").write_text("{}")
        files_of(official_set("squad"), tmp_path)
    write_side(tmp_path / "train.tsv", "mrpc", 4, "train")
    write_side(tmp_path / "dev.tsv", "mrpc", 4, "test")
    with pytest.raises(DataError, match=r"dev\.tsv, line 1: no column 'Quality': a test file, without labels"):
        examples_of("glue/mrpc", tmp_path)
    write_side(tmp_path / "dev.tsv", "qnli", 4, "dev")
    with pytest.raises(DataError, match="this is the header of QNLI, train or dev"):
        examples_of("glue/mrpc", tmp_path)
    write_side(tmp_path / "dev.tsv", "mrpc", 4, "dev")
    lines = (tmp_path / "dev.tsv").read_text().replace('0\tx\tx\tdev "#1 String 2', 'maybe\tx\tx\tdev "#1 String 2')
    (tmp_path / "dev.tsv").write_text(lines)
    with pytest.raises(DataError, match=r"line 4: column 'Quality': 'maybe' is not one of 0, 1"):
        examples_of("glue/mrpc", tmp_path)


def named(name: str, train: str, dev: str | None) -> AnyTask:
    pins = {side: {"kind": "files", "path": path, "sha256": "0" * 64} for side, path in (("train", train), ("dev", dev))
            if path is not None}  # fmt: skip
    task: AnyTask = TypeAdapter(AnyTask).validate_python(entry_of(official_set(name)) | pins)
    return task


@pytest.mark.parametrize(
    ("name", "train", "dev", "counts"),
    [
        ("squad", "a/train-v1.1-subset.json.xz", "dev-v1.1.json", ("squad", 87_599, 10_570)),
        ("squad", "dev-v1.1.json", "train-v1.1.json", None),
        ("conll2003", "eng.train.xz", "eng.testb", ("conll2003", 14_041, None)),
        ("conll2003", "eng.trained", "eng.testa", ("conll2003", None, 3_250)),
        ("glue/mnli-mm", "train.tsv", "dev_mismatched_subset.tsv.xz", ("glue/mnli-mm", 392_702, 9_832)),
        ("glue/mnli-m", "train.tsv", "dev_matched.tsv", ("glue/mnli-m", 392_702, 9_815)),
        ("glue/cola", "train.tsv", None, ("glue/cola", 8_551, None)),
        ("glue/cola", "own.tsv", "train.csv", None),
    ],
)
def test_official_counts_are_of_files_with_official_names(
    name: str, train: str, dev: str | None, counts: tuple[str, int | None, int | None] | None
) -> None:
    found = official_counts(named(name, train, dev))
    assert found == (counts and dict(zip(("name", "train", "dev"), counts, strict=True)))


def test_official_counts_of_a_set_that_was_asked_for_by_name() -> None:
    asked = named("glue/mnli-mm", "train.tsv", "own.tsv")
    assert official_counts(asked, "glue/MNLI-mm") == {"name": "glue/mnli-mm", "train": 392_702, "dev": None}
    own = named("glue/cola", "own.tsv", None)
    assert official_counts(own, "glue/cola") == {"name": "glue/cola", "train": None, "dev": None}
    unpublished = named("squad", "train-v1.1.json", "dev-v1.1.json").model_copy(update={"published": ""})
    assert official_counts(unpublished) is None


@pytest.mark.parametrize(
    ("subset", "split", "dev"),
    [("mnli", "validation_mismatched", 9_832), ("mnli", "validation", None), (None, "x", None)],
)
def test_official_counts_are_of_official_splits(subset: str | None, split: str, dev: int | None) -> None:
    pin = {"kind": "hub", "dataset": "nyu-mll/glue", "revision": "c0ffee", "sha256": "0" * 64}
    sides = {"train": {**pin, "subset": "mnli", "split": "train"}, "dev": {**pin, "subset": subset, "split": split}}
    task: AnyTask = TypeAdapter(AnyTask).validate_python(entry_on_hub(official_set("glue/mnli-mm")) | sides)
    found = official_counts(task)
    assert found is not None
    assert (found["train"], found["dev"]) == (392_702, dev)


def test_an_empty_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("s\t1\t\tFine.\ns\t0\t\t \n")
    (tmp_path / "dev.tsv").write_text("s\t1\t\tFine too.\n")
    with pytest.raises(DataError, match=r"train\.tsv, line 2: column 'sentence' is empty"):
        examples_of("glue/cola", tmp_path)


def test_lines_of_qqp_that_are_parts_of_a_record_are_counted(tmp_path: Path) -> None:
    write_side(tmp_path / "train.tsv", "qqp", 6, "train")
    write_side(tmp_path / "dev.tsv", "qqp", 6, "dev")
    with (tmp_path / "train.tsv").open("a") as stream:
        stream.write("7\t1\t2\tHow is\nit done?\tWhy?\t1\n")
    found = examples_of("glue/qqp", tmp_path)
    (left,) = found.manifest["left_out"]
    assert (len(found.train), left["examples"]) == (6, 2)
    with (tmp_path / "train.tsv").open("a") as stream:
        stream.write("8\t1\t2\tHow?\n")
    with pytest.raises(
        DataError, match=r"train\.tsv, line 8: not as many .* as 3 of 9 lines, more than 1%: official QQP"
    ):
        examples_of("glue/qqp", tmp_path)
    write_side(tmp_path / "train.tsv", "qqp", 300, "train")
    with (tmp_path / "train.tsv").open("a") as stream:
        stream.write("8\t1\t2\tHow?\n" * 3)
    (left,) = examples_of("glue/qqp", tmp_path).manifest["left_out"]
    assert left["examples"] == 3, "a hundredth is as in the official file"


def test_other_official_sets_go_by_name_too(tmp_path: Path) -> None:
    sentence = (
        "-DOCSTART- -X- -X- O\n\nAnna NNP B-NP B-PER\nsleeps VBZ B-VP O\n\nRome NNP B-NP B-LOC\nsaw VBZ B-VP O\n\n"
    )
    (tmp_path / "eng.train").write_text(sentence)
    (tmp_path / "eng.testa").write_text(sentence.replace("sleeps", "runs"))
    found = examples_of("conll2003", tmp_path)
    assert found.manifest["published"] == "conll-2003"
    assert len(found.train) == 2, "a sentence of the dev side, too"
    asked = [{"id": "q1", "question": "Who?", "answers": [{"text": "Anna", "answer_start": 0}]}]
    articles = {"version": "1.1", "data": [{"title": "A", "paragraphs": [{"context": "Anna sleeps.", "qas": asked}]}]}
    for side in ("train", "dev"):
        (tmp_path / f"{side}-v1.1.json").write_text(json.dumps(articles | {"from": side}))
    squad = task_of("squad", tmp_path)
    assert (squad.length, squad.kind, getattr(squad, "doc_stride", None)) == (384, "span", 128)
    assert len(examples_of("squad", tmp_path).train) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"published": ""}, "format glue goes with published: mrpc | qqp | mnli | qnli | rte | wnli; found ''"),
        ({"published": "cola"}, "format glue goes with published: mrpc"),
        ({"first_field": "a"}, "first_field: format glue has columns of its own; leave it out"),
    ],
)
def test_the_format_says_what_the_fields_are(values: dict[str, str], said: str) -> None:
    pinned = {"kind": "files", "path": "train.tsv", "sha256": "0" * 64}
    entry = {**entry_of(official_set("glue/mrpc")), "train": pinned, **values}
    with pytest.raises(ValidationError, match=said.replace("|", r"\|")):
        TypeAdapter(AnyTask).validate_python(entry)


@pytest.mark.skipif(not DATA.is_dir(), reason="FIRTH_DATA names no folder with official files")
@pytest.mark.parametrize(
    ("name", "train", "dev"),
    [
        ("glue/cola", 8551, 1043), ("glue/mrpc", 3668, 408), ("glue/rte", 2490, 277), ("glue/sts-b", 5749, 1500),
        ("glue/wnli", 635, 71), ("conll2003", 14041, 3250),
    ],
)  # fmt: skip
def test_the_official_files_have_their_official_numbers_of_examples(
    name: str, train: int, dev: int, tmp_path: Path
) -> None:
    data = DATA / "glue" if name.startswith("glue/") else DATA
    build("t", task_of(name, data), tmp_path, tmp_path)
    found = load(tmp_path)
    assert (len(found.train), len(found.dev)) == (train, dev)
    assert (official_set(name).rows["train"], official_set(name).rows["dev"]) == (train, dev)
