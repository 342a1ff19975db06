"""Pairs with a number and contexts with endings out of files; what is wrong with one is said with its line."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from tests.tasks.examples.conftest import task_of

from firth.errors import DataError, FirthError
from firth.tasks.examples.build import build
from firth.tasks.examples.describe import counted, shown, spread
from firth.tasks.examples.files import dev_texts, load

STSB = ["index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2", "score"]
SWAG = ["", "video-id", "fold-ind", "startphrase", "sent1", "sent2", "gold-source"]
SWAG += [f"ending{number}" for number in range(4)] + ["label"]
STSB_FIELDS = {"format": "tsv", "first_field": "sentence1", "second_field": "sentence2"}
SWAG_FIELDS = {"format": "csv", "context_field": "sent1", "start_field": "sent2"}


def stsb(*scores: str, header: list[str] = STSB) -> str:
    """40 pairs as GLUE has them, without quoting, and then one with each of `scores`."""
    lines = ["\t".join(header)]
    for number, score in enumerate([*(f"{n % 26 / 5:.3f}" for n in range(40)), *scores]):
        pair = f'He said "{number}.', f'Number {number}, said "he".'
        lines.append("\t".join([str(number), "news", "made up", "2012", "0001", "none", "none", *pair, score]))
    return "\n".join(lines) + "\n"


def swag(*rows: dict[str, object], header: list[str] = SWAG) -> str:
    """40 examples in the official columns, and then `rows`, which say where they differ."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, header, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for number in range(40 + len(rows)):
        told = f"A man, number {number}, sits down."
        row: dict[str, object] = {"": number, "video-id": f"v{number}", "sent1": told, "sent2": "He"}
        row |= {f"ending{place}": f"does thing {place}, then rests." for place in range(4)} | {"label": number % 4}
        writer.writerow(row | (rows[number - 40] if number >= 40 else {}))
    return stream.getvalue()


def test_the_official_columns_of_stsb(built, folder: Path) -> None:
    found = built("number", stsb(), "train.tsv", score_range=(0, 5), **STSB_FIELDS)
    everything = {one["first"]: one for one in found.train + found.dev}
    assert len(everything) == 40
    assert everything['He said "7.'] | {"id": ""} == {
        "id": "", "first": 'He said "7.', "second": 'Number 7, said "he".', "score": 1.4,
    }  # fmt: skip
    assert found.kind == "number"
    assert (found.manifest["metric"], found.manifest["labels"]) == ("pearson_spearman", [])
    assert all(type(one["score"]) is float for one in everything.values())
    task = task_of("number", folder, "train.tsv", **STSB_FIELDS)
    assert shown(everything['He said "7.'], task) == 'He said "7. | Number 7, said "he". → 1.4'
    assert (counted(found.train), spread(found.train)[:5]) == ({}, "0 to ")
    assert set(dev_texts(folder / "out")) == {text for one in found.dev for text in (one["first"], one["second"])}


def test_the_official_columns_of_swag(built, folder: Path) -> None:
    odd = {"sent1": 'She said "no", twice.', "sent2": "", "ending2": 'left, "at last".', "label": 2}
    found = built("choice", swag(odd), "train.csv", **SWAG_FIELDS)
    everything = {one["context"]: one for one in found.train + found.dev}
    assert len(everything) == 41
    seventh = everything["A man, number 7, sits down."]
    assert seventh["endings"] == [f"He does thing {place}, then rests." for place in range(4)]
    assert seventh["label"] == 3
    assert everything['She said "no", twice.']["endings"][2] == 'left, "at last".', "a start may be empty"
    task = task_of("choice", folder, "train.csv", **SWAG_FIELDS)
    assert shown(seventh, task).endswith(" → He does thing 3, then rests.")
    assert sum(counted(found.train).values()) == len(found.train)
    assert set(counted(found.train)) == {f"ending{place}" for place in range(4)}
    assert dev_texts(folder / "out")[1].startswith("He does thing")
    assert found.manifest["labels"] == []


def test_endings_in_a_list_may_be_of_any_number(built) -> None:
    rows = [
        {"ctx": f"Room {n}", "choices": ["is red", "is blue", 3][: 2 + n % 2], "answer": str(n % 2)} for n in range(40)
    ]
    data = "".join(json.dumps(row) + "\n" for row in rows)
    found = built("choice", data, context_field="ctx", ending_fields=["choices"], label_field="answer")
    assert {len(one["endings"]) for one in found.train + found.dev} == {2, 3}
    assert {one["endings"][-1] for one in found.train + found.dev} == {"is blue", "3"}


def test_examples_without_an_answer_are_left_out_and_counted(built) -> None:
    found = built("number", stsb("", ""), "a.tsv", **STSB_FIELDS)
    assert [(row["reason"], row["examples"]) for row in found.manifest["left_out"]] == [("no score", 2)]
    found = built("choice", swag({"label": "", "ending0": ""}), "a.csv", **SWAG_FIELDS)
    assert [(row["reason"], row["examples"]) for row in found.manifest["left_out"]] == [("no label", 1)]


def test_pairs_and_choices_of_the_dev_side_are_not_trained_on(built) -> None:
    dev = stsb().splitlines()
    found = built("number", stsb(), "a.tsv", dev="\n".join([dev[0], *dev[3:9]]) + "\n", **STSB_FIELDS)
    assert (len(found.train), len(found.dev)) == (34, 6)
    dev = swag().splitlines()
    found = built("choice", swag(), "a.csv", dev="\n".join([dev[0], *dev[3:9]]) + "\n", **SWAG_FIELDS)
    assert (len(found.train), len(found.dev)) == (34, 6)


def test_choices_of_one_context_stay_on_one_side(built) -> None:
    rows = [{"sent1": f"Told {n // 5}.", "ending0": f"goes {n} ways."} for n in range(200)]
    found = built("choice", swag(*rows), "a.csv", **SWAG_FIELDS)
    train, dev = ({one["context"] for one in side} for side in (found.train, found.dev))
    assert not train & dev


@pytest.mark.parametrize(
    ("score", "said"),
    [
        ("high", "holds 'high', not a number"),
        ("3,8", "holds '3,8', not a number"),
        ("nan", "holds 'nan', not a number"),
        ("1e999", "holds '1e999', not a number"),
        ("1_0", "holds '1_0', not a number"),
        ("5.001", r"holds 5\.001, outside of 0 to 5 \(score_range\)"),
        ("-0.1", r"holds -0\.1, outside of 0 to 5 \(score_range\)"),
    ],
)
def test_a_score_that_cannot_be_is_named(built, score: str, said: str) -> None:
    with pytest.raises(DataError, match=rf"a\.tsv, line 42: field 'score' {said}"):
        built("number", stsb(score), "a.tsv", score_range=(0, 5), **STSB_FIELDS)


def test_without_a_range_any_finite_number_counts(built) -> None:
    found = built("number", stsb("-1e6", "+.5", "7."), "a.tsv", **STSB_FIELDS)
    assert {-1e6, 0.5, 7.0} <= {one["score"] for one in found.train + found.dev}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"label": 4}, r"field 'label' holds '4'; the 4 endings have the numbers 0 to 3"),
        ({"label": -1}, r"field 'label' holds '-1'; the 4 endings have the numbers 0 to 3"),
        ({"label": "gold"}, r"field 'label' holds 'gold'; the 4 endings"),
        ({"label": "1.0"}, r"field 'label' holds '1\.0'; the 4 endings"),
        ({"label": "²"}, r"field 'label' holds '²'; the 4 endings"),
        ({"ending2": "  "}, r"field 'ending2' is empty"),
        ({"sent1": ""}, r"field 'sent1' is empty"),
    ],
)
def test_a_choice_that_cannot_be_is_named(built, row: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=rf"a\.csv, line 42: {said}"):
        built("choice", swag(row), "a.csv", **SWAG_FIELDS)


@pytest.mark.parametrize(
    ("endings", "said"),
    [
        ([], "has 0 of the endings; two are the least"),
        (["one"], "has 1 of the endings; two are the least"),
        (["one", ""], "has an ending, number 1, that is empty"),
        (["one", None], "holds null as ending 1, not text"),
        ("one, two", "holds a string; expected a list of texts, the endings"),
        (None, "holds null; expected a list"),
    ],
)
def test_a_list_of_endings_that_cannot_be_is_named(built, endings: object, said: str) -> None:
    rows = [{"context": f"Room {n}", "endings": ["is red", "is blue"], "label": 0} for n in range(40)]
    data = "".join(json.dumps(row) + "\n" for row in [*rows, {"context": "x", "endings": endings, "label": 0}])
    with pytest.raises(DataError, match=f"a\\.jsonl, line 41: field 'endings' {said}"):
        built("choice", data, ending_fields=["endings"])


def test_files_with_other_columns_are_refused_with_the_columns_they_have(built) -> None:
    with pytest.raises(DataError, match=r"a\.tsv, line 1: no field 'score'; there are: index, .* \(the first line"):
        built("number", stsb(header=[*STSB[:-1], "label"]), "a.tsv", **STSB_FIELDS)
    with pytest.raises(DataError, match=r"a\.csv, line 1: no field 'label'; there are: , video-id"):
        built("choice", swag(header=SWAG[:-1]), "a.csv", **SWAG_FIELDS)
    with pytest.raises(DataError, match=r"a\.csv, line 1: no field 'ending3'; .*did you mean 'ending2'"):
        built("choice", swag(header=[name for name in SWAG if name != "ending3"]), "a.csv", **SWAG_FIELDS)
    with pytest.raises(DataError, match=r"a\.tsv, line 42: 3 fields between tabs, but the header names 10"):
        built("number", stsb() + "a\tb\tc\n", "a.tsv", **STSB_FIELDS)


@pytest.mark.parametrize("side", ["train", "dev"])
def test_one_number_only_is_refused(built, side: str) -> None:
    header, *rows = stsb().splitlines()
    same = "\n".join([header, *(row.rpartition("\t")[0] + "\t2.5" for row in rows[:10])]) + "\n"
    other = "\n".join([header, *rows[10:]]) + "\n"
    train, dev = (same, other) if side == "train" else (other, same)
    with pytest.raises(DataError, match=rf"tasks\.t: the {side} side has 10 examples and one number \(2\.5\); a corr"):
        built("number", train, "a.tsv", dev=dev, **STSB_FIELDS)


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("number", {"score_range": (5, 0)}, "score_range: 5 is not below 0"),
        ("number", {"metric": "accuracy"}, "metric"),
        ("choice", {"ending_fields": ["a"], "format": "csv"}, "with a list of them, is for jsonl, not for csv"),
        ("choice", {"ending_fields": ["a", "b", "a"]}, "ending_fields names a field twice"),
        ("choice", {"ending_fields": []}, "ending_fields"),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_are_refused(folder: Path, kind: str, fields: dict, said: str) -> None:
    (folder / "a.jsonl").write_text("{}\n")
    with pytest.raises((FirthError, ValueError), match=said):
        task_of(kind, folder, "a.jsonl", **fields)


@pytest.mark.skipif("FIRTH_DATA" not in os.environ, reason="FIRTH_DATA is not set: no STS-B")
def test_stsb_is_read_whole(folder: Path) -> None:
    root = Path(os.environ["FIRTH_DATA"]) / "glue" / "STS-B"
    fields = STSB_FIELDS | {"score_range": (0, 5), "train_examples": 10**6, "dev_examples": 10**6}
    build("stsb", task_of("number", root, "train.tsv.xz", "dev.tsv.xz", **fields), folder / "out", root)
    found = load(folder / "out")
    (repeated,) = found.manifest["left_out"]
    assert repeated["reason"] == "the same text is on the dev side"
    assert (len(found.train) + repeated["examples"], len(found.dev)) == (5_749, 1_500)
    assert repeated["examples"] == 6
    assert (min(one["score"] for one in found.dev), max(one["score"] for one in found.train)) == (0.0, 5.0)
