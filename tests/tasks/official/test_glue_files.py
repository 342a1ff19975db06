"""GLUE's files: the official headers and shorter ones, packed or not; what is wrong is said with line and column."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from firth.errors import DataError
from firth.tasks.official.glue import TASKS, GlueTask
from firth.tasks.official.glue_files import read_gold, read_test

SENTENCE = 'He said "go", and she went.'


def label_of(task: GlueTask, number: int = 0) -> str:
    return task.labels[number % len(task.labels)] if task.labels else f"{number % 6}.250"[:5] if number % 6 < 5 else "5"


def official(task: GlueTask, side: str, count: int = 4) -> list[list[str]]:
    """Rows of a made-up file in the official form of that side, with the header where it has one."""
    columns = task.columns[side]
    rows = [list(columns)] if task.header or side == "test" else []
    for number in range(count):
        row = dict.fromkeys(columns, f"x{number}")
        row |= {name: f"{SENTENCE} {name} {number}" for name in task.texts}
        row |= {task.index: str(number)} if task.index in columns else {}
        row |= {task.label: label_of(task, number)} if side != "test" else {}
        rows.append([row[name] for name in columns])
    return rows


@pytest.mark.parametrize("name", [name for name in TASKS if name != "ax"])
def test_official_files_of_every_side_are_read(name: str, tsv) -> None:
    task = TASKS[name]
    for side in ("train", "dev"):
        found = read_gold(tsv(f"{side}.tsv", *official(task, side)), task)
        assert found.side == side
        assert [row.label for row in found.rows] == [label_of(task, number) for number in range(4)]
        assert found.rows[1].texts == tuple(f"{SENTENCE} {column} 1" for column in task.texts)
        assert [row.index for row in found.rows] == ([0, 1, 2, 3] if task.index in task.columns[side] else [None] * 4)
        assert found.notes() == [f"{task.title} {side}: 4 of {task.rows[side]:,} (subset)"]


@pytest.mark.parametrize("name", TASKS)
def test_test_files_are_read_without_labels_and_refused_as_gold(name: str, tsv) -> None:
    task = TASKS[name]
    path = tsv("test.tsv", *official(task, "test"))
    found = read_test(path, task)
    assert [(row.index, row.label) for row in found.rows] == [(number, None) for number in range(4)]
    with pytest.raises(DataError, match=r"test\.tsv, line 1: .*test") as refused:
        read_gold(path, task)
    assert "without labels" in str(refused.value) or "the header of" in str(refused.value)


def test_the_columns_may_be_fewer_and_stand_elsewhere(tsv) -> None:
    path = tsv("dev.tsv", ["score", "sentence2", "sentence1"], ["3.8", "b", "a"])
    (row,) = read_gold(path, TASKS["sts-b"]).rows
    assert (row.index, row.texts, row.label) == (None, ("a", "b"), "3.8")


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_packed_files(tmp_path: Path, ending: str, pack) -> None:
    path = tmp_path / f"train.tsv{ending}"
    path.write_bytes(pack('\ufeffsentence\tlabel\r\n "a\t1\r\n\r\nb\u2028c \t0\r\n'.encode()))
    rows = read_gold(path, TASKS["sst-2"]).rows
    assert [(row.line, row.texts[0], row.label) for row in rows] == [(2, ' "a', "1"), (4, "b\u2028c ", "0")]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"truncated|damaged"):
        read_gold(path, TASKS["sst-2"])


@pytest.mark.parametrize(
    ("task", "rows", "said"),
    [
        ("rte", [], "dev.tsv: empty file"),
        ("rte", [["index", "sentence1", "sentence2", "label"]], "dev.tsv: holds no examples"),
        ("rte", [["index", "sentence1", "sentence2", "label"], [0, "a", "b"]],
         "line 2: 3 fields between tabs, but the first line has 4"),
        ("rte", [["index", "sentence1", "sentence2", "label"], [0, "a", "b", "yes"]],
         "line 2: column 'label': 'yes' is not one of entailment, not_entailment"),
        ("rte", [["index", "sentence1", "sentence2", "label"], ["one", "a", "b", "entailment"]],
         "line 2: column 'index': 'one' is not a whole number"),
        ("rte", [["index", "sentence1", "sentence2", "label"], *[[7, "a", "b", "entailment"]] * 2],
         "line 3: column 'index': 7 stands in line 2, too"),
        ("rte", [["index", "question", "sentence", "label"], [0, "a", "b", "entailment"]],
         "line 1: no column 'sentence1'; RTE has the header index | sentence1 | sentence2 | label; "
         "this is the header of QNLI, train or dev"),
        ("qnli", [["index", "sentence1", "sentence2", "label"]], "this is the header of RTE, WNLI, train or dev"),
        ("rte", [["index", "prediction"], [0, "entailment"]], "are gold and predictions swapped?"),
        ("rte", [["a", "b"], [0, 1]], "found a | b"),
        ("sst-2", [["sentence", "label"], ["a", "2"]], "line 2: column 'label': '2' is not one of 0, 1"),
        ("sts-b", [["sentence1", "sentence2", "score"], ["a", "b", "5.1"]],
         "line 2: column 'score': '5.1' is not a number from 0 to 5"),
        ("sts-b", [["sentence1", "sentence2", "score"], ["a", "b", "nan"]], "'nan' is not a number from 0 to 5"),
        ("cola", [["gj04", "1", "", "a"], ["gj04", "1", "a"]],
         "line 2: 3 fields between tabs, but the first line has 4"),
        ("cola", [["gj04", "1", "a"]], "3 fields between tabs; expected 4 (source | label | mark | sentence"),
        ("cola", [["gj04", "*", "", "a"]], "line 1: column 'label': '*' is not one of 0, 1"),
        ("cola", [["sentence", "label"], ["a", "1"]], "without a header, found the header of SST-2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(task: str, rows, said: str, tsv) -> None:
    with pytest.raises(DataError) as refused:
        read_gold(tsv("dev.tsv", *rows), TASKS[task])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_questions_with_line_breaks_of_qqp_are_left_out_and_counted(tsv) -> None:
    header = TASKS["qqp"].columns["train"]
    rows = [[1, 11, 12, "a?", "b?", 0], [2, 13, 14, "c"], ["d?", "e?", 1], [3, 15, 16, "f?", "g?", 1]]
    found = read_gold(tsv("train.tsv", header, *rows), TASKS["qqp"])
    assert [row.index for row in found.rows] == [1, 3]
    assert found.notes() == [
        "QQP train: 2 of 363,846 (subset)", "2 lines that are parts of a record left out",
    ]  # fmt: skip


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dev\.tsv: no such file"):
        read_gold(tmp_path / "dev.tsv", TASKS["rte"])
    with pytest.raises(DataError, match="is a folder"):
        read_gold(tmp_path, TASKS["rte"])
