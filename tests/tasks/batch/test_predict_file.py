"""Files of records in blocks: whatever is in them comes out again, in order, with constant memory."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firth import progress
from firth.errors import DataError, FirthError
from firth.tasks.batch.run import check, predict_file


class Lengths:
    """Answers with the number of characters, and remembers how much it was asked at a time."""

    title = "lengths"
    columns: Mapping[str, pa.DataType] = {"characters": pa.int64(), "halves": pa.list_(pa.string())}
    fields = ("text",)

    def __init__(self, broken_at: int | None = None) -> None:
        self.blocks: list[int] = []
        self._broken_at = broken_at

    def record(self, values: Mapping[str, Any], where: str, line: int) -> str:
        return str(values["text"])

    def answers(self, records: Sequence[str]) -> list[dict[str, Any]]:
        self.blocks.append(len(records))
        if len(self.blocks) == self._broken_at:
            raise KeyboardInterrupt
        return [
            {"characters": len(text), "halves": [text[: len(text) // 2], text[len(text) // 2 :]]} for text in records
        ]

    def notes(self) -> list[str]:
        return []


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, max_size=9), st.integers(1, 4), st.sampled_from(["jsonl", "csv", "parquet"]))
def test_any_text_comes_out_as_it_was(tmp_path: Path, listed: list[str], block: int, ending: str) -> None:
    lines = [json.dumps({"n": n, "text": text}, ensure_ascii=bool(n % 2)) + "\n" for n, text in enumerate(listed)]
    (tmp_path / "in.jsonl").write_text("".join(lines), encoding="utf-8", newline="")
    out, predictor = tmp_path / f"out.{ending}", Lengths()
    assert predict_file(predictor, tmp_path / "in.jsonl", out, {}, block) == len(listed)
    assert all(size <= block for size in predictor.blocks)
    found: list[dict[str, Any]]
    if ending == "parquet":
        found = pq.read_table(out).to_pylist()
    elif ending == "jsonl":
        found = [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n") if line]
    else:
        with out.open(newline="", encoding="utf-8") as stream:
            found = [{**one, "halves": json.loads(one["halves"])} for one in csv.DictReader(stream)]
    assert [(one["text"], int(one["characters"]), "".join(one["halves"])) for one in found] == [
        (text, len(text), text) for text in listed
    ]


def test_csv_comes_out_as_it_was(tmp_path: Path) -> None:
    with (tmp_path / "in.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["text", "é,\n"], ['a "b"\nc', ""], ["", "x\ty"]])
    predict_file(Lengths(), tmp_path / "in.csv", tmp_path / "out.tsv", {})
    with (tmp_path / "out.tsv").open(newline="") as stream:
        found = list(csv.reader(stream, delimiter="\t"))
    assert found[0] == ["text", "é,\n", "characters", "halves"]
    assert found[1][:3] == ['a "b"\nc', "", "7"]
    assert found[2][:3] == ["", "x\ty", "0"]


def test_a_broken_run_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\n" * 10)
    for ending in ("jsonl", "csv", "parquet"):
        with pytest.raises(KeyboardInterrupt):
            predict_file(Lengths(broken_at=3), tmp_path / "in.txt", tmp_path / f"out.{ending}", {}, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_memory_is_that_of_a_block(tmp_path: Path) -> None:
    line = json.dumps({"text": "x" * 1000}) + "\n"
    peaks = []
    for count in (2_000, 10_000):
        (tmp_path / "in.jsonl").write_text(line * count)
        tracemalloc.start()
        assert predict_file(Lengths(), tmp_path / "in.jsonl", tmp_path / "out.jsonl", {}, 50) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 500_000 < 10_000_000


def test_a_bad_last_line_is_known_before_anything_is_answered(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n' * 20 + '{"txt": "a"}\n')
    predictor = Lengths()
    with pytest.raises(DataError, match=r"in\.jsonl, line 21: no field 'text'"):
        predict_file(predictor, tmp_path / "in.jsonl", tmp_path / "out.csv", {}, 2)
    assert predictor.blocks == []


def test_how_much_is_left_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    (tmp_path / "in.txt").write_text("a\n" * 10)
    predict_file(Lengths(), tmp_path / "in.txt", tmp_path / "out.csv", {}, 4)
    shown = capsys.readouterr().err
    for part in ("lengths: 4 of 10 rows (40%)", "lengths: 8 of 10 rows (80%)", "lengths: 10 of 10 rows (100%)"):
        assert part in shown


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\n")
    (tmp_path / "file").write_text("")
    with pytest.raises(FirthError, match=r"out\.csv: cannot be written"):
        predict_file(Lengths(), tmp_path / "in.txt", tmp_path / "file" / "out.csv", {})
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "in.jsonl")
    (tmp_path / "in.jsonl").write_text("")
    with pytest.raises(FirthError, match=r"link\.jsonl: is the input"):
        check(tmp_path / "in.jsonl", tmp_path / "link.jsonl")
