"""No text on both sides, the same bytes whatever the order of the file, a smaller subset inside a larger one."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.tasks.examples.conftest import task_of

from firth.errors import DataError
from firth.tasks.examples.build import build
from firth.tasks.examples.files import Examples, load
from firth.textkeys import normalised, reserved_for_evaluation

WORDS = ["red", "Red", "blue", "green ", "  green", "straße", "STRASSE", "naïve", "nai\u0308ve", *"abcdefghij"]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(" ".join),
            "label": st.sampled_from(["x", "y"]),
            "group": st.sampled_from(WORDS),
        }
    ),
    min_size=30,
    max_size=60,
)


def made(rows: list[dict[str, Any]], dev: list[dict[str, Any]] | None = None, **fields: Any) -> Examples:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path, listed in (("a.jsonl", rows), ("dev.jsonl", dev)):
            if listed is not None:
                (root / path).write_text("".join(json.dumps(row) + "\n" for row in listed))
        task = task_of("text", root, "a.jsonl", None if dev is None else "dev.jsonl", **fields)
        build("t", task, root / "out", root)
        return load(root / "out")


@pytest.fixture(autouse=True)
def _no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRTH_STATE", raising=False)


@pytest.mark.slow
@settings(max_examples=25)
@given(ROWS, st.sampled_from([None, "group"]), st.integers(0, 9), st.randoms(use_true_random=False))
def test_nothing_leaks_and_the_order_does_not_matter(
    rows: list[dict[str, Any]], group_field: str | None, seed: int, shuffle: random.Random
) -> None:
    try:
        found = made(rows, group_field=group_field, seed=seed, dev_share=0.4)
    except DataError:
        assume(False)
    train, dev = ({normalised(example["text"]) for example in side} for side in (found.train, found.dev))
    assert not train & dev
    by_text = {(row["text"], row["label"], normalised(row["group"])) for row in rows}
    groups = [{g for t, label, g in by_text if (t, label) == (e["text"], e["label"])} for e in found.dev]
    assert all(any(reserved_for_evaluation(g if group_field else e["text"], 0.4) for g in gs or {""})
               for e, gs in zip(found.dev, groups, strict=True))  # fmt: skip
    left_out = sum(row["examples"] for row in found.manifest["left_out"])
    assert len(found.train) + len(found.dev) + left_out == len(rows)
    assert len({example["id"] for example in found.train + found.dev}) == len(found.train) + len(found.dev)
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    again = made(shuffled, group_field=group_field, seed=seed, dev_share=0.4)
    assert again.manifest["files"] == found.manifest["files"]
    assert (again.train, again.dev) == (found.train, found.dev)


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"text": f"Text {n} of many", "label": "xy"[n % 2], "group": f"g{n // 4}"} for n in range(count)]


def test_groups_stay_together_and_the_share_is_met() -> None:
    found = made(numbered(2000), group_field="group", dev_share=0.3, train_examples=2000, dev_examples=2000)
    groups = [{int(e["text"].split()[1]) // 4 for e in side} for side in (found.train, found.dev)]
    assert not groups[0] & groups[1]
    assert len(groups[0]) + len(groups[1]) == 500
    assert 0.25 < len(groups[1]) / 500 < 0.35
    assert groups[1] == {n for n in range(500) if reserved_for_evaluation(f"g{n}", 0.3)}


def test_a_subset_is_seeded_and_nested() -> None:
    small, large, other = (
        made(numbered(400), train_examples=most, dev_examples=20, seed=seed)
        for most, seed in ((50, 1), (90, 1), (50, 2))
    )
    assert (len(small.train), len(large.train), len(small.dev)) == (50, 90, 20)
    assert large.train[:50] == small.train
    assert {e["id"] for e in small.train} != {e["id"] for e in other.train}
    assert small.manifest["available"] == other.manifest["available"]
    assert {e["id"]: e for e in large.train}.items() >= {e["id"]: e for e in small.train}.items()


def test_the_last_of_a_group_to_join_moves_no_other() -> None:
    """A data set that grows keeps each of its examples on its side."""
    before, after = (made(numbered(count), train_examples=999, dev_examples=999) for count in (200, 300))
    assert {e["id"] for e in before.dev} <= {e["id"] for e in after.dev}


def test_train_examples_with_a_dev_text_are_left_out_and_counted() -> None:
    dev = [{"text": f"  TEXT {n}  of many", "label": "xy"[n % 2]} for n in range(10)]
    found = made(numbered(100), dev)
    assert (len(found.train), len(found.dev)) == (90, 10)
    assert found.manifest["left_out"] == [
        {"reason": "the same text is on the dev side", "examples": 10, "example": "Text 0 of many"}
    ]
    with pytest.raises(DataError, match=r"no example is left on the train side .*10: the same text is on the dev side"):
        made(numbered(10), dev)


def test_repeated_examples_stay_and_have_ids_of_their_own() -> None:
    rows = numbered(40) * 3
    found = made(rows, train_examples=999)
    assert len(found.train) + len(found.dev) == 120
    assert sum(example["id"].endswith("-3") for example in found.train + found.dev) == 40


@pytest.mark.parametrize(
    ("dev", "fields", "said"),
    [
        (
            [{"text": "z", "label": "x"}, {"text": "q", "label": "w"}],
            {},
            r"^dev\.jsonl, line 2: tasks\.t: the dev side has the label 'w', which no training .*\(x, y\); correct it, "
            r"list the labels that count \(labels\), or add such examples to the train file",
        ),
        ([{"text": "Text 0 of many"}], {"labels": []}, r"^dev\.jsonl, line 1: no field 'label'"),
        ([], {}, r"dev\.jsonl: empty file"),
        (None, {"group_field": "grp"}, r"a\.jsonl, line 1: no field 'grp'; .*did you mean 'group'"),
        (None, {"dev_share": 0.0}, r"none is on the dev side \(dev_share 0\.0\)"),
        (None, {"dev_share": 1.0}, r"none is on the train side \(dev_share 1\.0\)"),
    ],
)
def test_sides_that_cannot_be_scored_are_refused(dev, fields, said: str) -> None:
    with pytest.raises(DataError, match=said):
        made(numbered(100), dev, **fields)


def test_a_label_that_the_subset_alone_lacks_asks_for_more_examples() -> None:
    rows = [*numbered(100), {"text": "One of its own", "label": "z", "group": "z"}]
    dev = [{"text": f"Text {n} to score", "label": label} for n, label in enumerate("xyz")]
    said = (
        r"dev\.jsonl, line 3: .* the label 'z', .*; the 101 of the train side have it: give more train_examples than 9"
    )
    with pytest.raises(DataError, match=said):
        made(rows, dev, train_examples=9)
    assert "z" in made(rows, dev, train_examples=101).manifest["labels"]
