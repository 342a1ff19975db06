"""SWAG's accuracy on the official form of file."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from firth.canonical import file_sha256
from firth.config.tasks import ChoiceTask
from firth.errors import DataError
from firth.tasks.examples.build import build
from firth.tasks.examples.files import load
from firth.tasks.examples.named import entry_of, official_set
from firth.tasks.official.swag import HEADER, read_endings, score_swag


def write(path: Path, labels, header=HEADER, first: int = 0) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for number, label in enumerate(labels, start=first):
            whole = dict.fromkeys(HEADER, 'He says, "go", and') | {"": number, "label": label}
            writer.writerow([whole[name] for name in header])
    return path


def test_accuracy_by_the_rows_own_numbers_or_in_order(predicted, tmp_path: Path) -> None:
    gold = write(tmp_path / "val.csv", "0123", first=5)
    found = score_swag(gold, predicted({8: "3", 5: "0", 6: "2", 7: "2"}))
    assert found.scores == {"accuracy": 75.0}
    assert found.notes == ["SWAG dev: 4 of 20,006 (subset)", "joined by index"]
    assert score_swag(gold, predicted("0123")).scores == {"accuracy": 100.0}
    plain = write(tmp_path / "train.csv", "0123", HEADER[1:])
    found = score_swag(plain, predicted("0000"))
    assert found.scores == {"accuracy": 25.0}
    assert found.notes == [
        "SWAG train: 4 of 73,546 (subset)", "joined by row number", "every prediction is '0'",
    ]  # fmt: skip


def test_predictions_may_stand_between_commas(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("index,prediction\n1,1\n0,0\n")
    assert score_swag(write(tmp_path / "val.csv", "01"), tmp_path / "p.csv").scores == {"accuracy": 100.0}


@pytest.mark.parametrize(
    ("labels", "header", "said"),
    [
        ("0", HEADER[:-1], "line 1: no column 'label': a test file, without labels"),
        ("0", ("video-id", "label"), "line 1: no column 'ending0'; SWAG has ,video-id,"),
        ("", HEADER, "holds no examples, only a header; was it copied to its end?"),
        ("04", HEADER, "line 3: column 'label': '4' is not one of 0, 1, 2, 3"),
    ],
)
def test_wrong_gold_is_named(labels, header, said: str, predicted, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        score_swag(write(tmp_path / "val.csv", labels, header), predicted("0"))
    assert said in str(refused.value)


def test_other_wrong_files(predicted, tmp_path: Path) -> None:
    empty = tmp_path / "val.csv"
    empty.write_text("")
    with pytest.raises(DataError, match=r"empty file; was it copied to its end\?"):
        score_swag(empty, predicted("0"))
    with pytest.raises(DataError, match="swapped"):
        score_swag(predicted("0", "gold.csv"), predicted("0"))
    twice = tmp_path / "twice.csv"
    twice.write_text(f"{','.join(HEADER)}\n" + f"3{',x' * 10},1\n" * 2)
    with pytest.raises(DataError, match="line 3: column 1: 3 stands in line 2, too"):
        score_swag(twice, predicted("0"))
    with pytest.raises(DataError, match="column 'prediction': '4' is not one of 0, 1, 2, 3"):
        score_swag(write(tmp_path / "val.csv", "0"), predicted("4"))


def test_what_is_answered_reads_as_what_was_learned_from(tmp_path: Path) -> None:
    """The common start stands in front of each ending, as `firth evaluate` and the pipeline put it there."""
    rows = [
        ["0", "v", "1", "He", " On stage , a man sings. ", " He ", "gold", " bows.", "runs .", "sits", "is gone", "2"],
        ["1", "v", "2", "", "A dog", " ", "gold", "barks", "sleeps", "eats", "digs", "0"],
    ]
    other = [["0", "v", "1", "We", "The bus is late.", "We", "gold", "wait.", "fly.", "melt.", "ring.", "0"]]
    for name, held in (("train.csv", other), ("val.csv", rows)):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([HEADER, *held])
    files = {
        side: {"kind": "files", "path": str(tmp_path / name), "sha256": file_sha256(tmp_path / name)}
        for side, name in (("train", "train.csv"), ("dev", "val.csv"))
    }
    build("swag", ChoiceTask.model_validate({**entry_of(official_set("swag")), **files}), tmp_path / "made", tmp_path)
    learned = sorted((one["context"], one["endings"]) for one in load(tmp_path / "made").dev)
    asked = [(one.context, one.endings) for one in read_endings(tmp_path / "val.csv")]
    assert sorted(asked) == learned
    assert asked[0][1] == ["He  bows.", "He runs .", "He sits", "He is gone"]
    assert asked[1][1] == ["barks", "sleeps", "eats", "digs"]
