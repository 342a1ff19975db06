"""A train and a dev file that are one, that are swapped, or that share examples: refused, or said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.tasks.examples.test_named_sets import examples_of, write_side

from firth.errors import DataError
from firth.tasks.examples.found import notes


def sides(folder: Path, name: str, train: int, dev: int) -> None:
    write_side(folder / "train.tsv", name, train, "train")
    write_side(folder / "dev.tsv", name, dev, "dev")


def test_swapped_official_files_are_refused_by_their_names(tmp_path: Path) -> None:
    sides(tmp_path, "rte", 277, 2490)
    said = (
        r"tasks\.t: \S+/train\.tsv as train has 277 examples and \S+/dev\.tsv as dev 2,490; the official files of rte "
        r"have 2,490 and 277: are they swapped\?"
    )
    with pytest.raises(DataError, match=said):
        examples_of("glue/rte", tmp_path)


@pytest.mark.parametrize(("train", "dev"), [(277, 100), (100, 2490), (2490, 278)])
def test_one_side_with_the_others_number_or_too_long_a_dev_side_is_enough(tmp_path: Path, train: int, dev: int) -> None:
    sides(tmp_path, "rte", train, dev)
    with pytest.raises(DataError, match="are they swapped"):
        examples_of("glue/rte", tmp_path)


def test_the_files_themselves_and_parts_of_them_are_taken(tmp_path: Path) -> None:
    for train, dev in ((2490, 277), (276, 276)):
        sides(tmp_path, "rte", train, dev)
        assert len(examples_of("glue/rte", tmp_path).dev) == dev


def test_the_labelled_test_file_of_conll_may_be_scored_too(built) -> None:
    dev = "".join(f"Anna{n} B-PER\nruns O\n\n" for n in range(3453))
    train = dev.replace("runs", "ran")
    found = built("tagging", train, "a.conll", dev=dev, published="conll-2003", dev_examples=9999)
    assert len(found.dev) == 3453
    with pytest.raises(DataError, match="conll-2003 have 14,041 and 3,250: are they swapped"):
        built("tagging", train, "a.conll", dev=dev + "Anna B-PER\nruns O\n", published="conll-2003")


def test_one_file_as_both_sides_is_refused_for_every_task(built, tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": f"Text {n}", "label": "xy"[n % 2]}) + "\n" for n in range(9))
    with pytest.raises(DataError, match=r"dev-a\.jsonl: tasks\.t: the same bytes as a\.jsonl: what is trained on"):
        built("text", rows, dev=rows, keep_repeats=True)
    write_side(tmp_path / "train.tsv", "rte", 8, "train")
    write_side(tmp_path / "dev.tsv", "rte", 8, "train")
    with pytest.raises(DataError, match="the same bytes as"):
        examples_of("glue/rte", tmp_path)


def test_dev_examples_on_the_train_side_are_counted_where_they_are_kept(built) -> None:
    train = "".join(json.dumps({"text": f"Text {n}", "label": "xy"[n % 2]}) + "\n" for n in range(9))
    dev = "".join(json.dumps({"text": f"Text {n}", "label": "xy"[n % 2]}) + "\n" for n in range(6, 12))
    kept = built("text", train, dev=dev, keep_repeats=True, dev_examples=2)
    assert (len(kept.train), kept.manifest["repeats"]) == (9, 3)
    assert list(notes(kept.manifest)) == ["3 of 6 dev examples stand on the train side, too, word for word"]
    parted = built("text", train, dev=dev)
    assert "repeats" not in parted.manifest, "they are left out of training, and counted there"
    assert [row["examples"] for row in parted.manifest["left_out"]] == [3]
