"""Which labels are taken for which, and which names are found."""

from __future__ import annotations

from typing import Any

from firth.report.breakdown import MOST, breakdown


def of(kind: str, pairs: list[tuple[Any, Any]]) -> dict[str, Any] | None:
    key = "tags" if kind == "tagging" else "label"
    dev = {str(number): {key: expected} for number, (expected, _) in enumerate(pairs)}
    return breakdown(kind, dev, [{"id": str(n), "predicted": predicted} for n, (_, predicted) in enumerate(pairs)])


def test_labels_and_what_they_are_taken_for() -> None:
    found = of("text", [("bad", "bad")] * 3 + [("bad", "good"), ("good", "good"), ("good", "bad"), ("so", "bad")])
    assert found == {
        "form": "confusion",
        "labels": ["bad", "good", "so"],
        "rows": [
            {"label": "bad", "counts": [3, 1, 0], "right": 0.75},
            {"label": "good", "counts": [1, 1, 0], "right": 0.5},
            {"label": "so", "counts": [1, 0, 0], "right": 0.0},
        ],
        "left_out": 0,
    }


def test_the_most_frequent_labels_are_shown_and_the_others_counted() -> None:
    found = of("pair", [(f"l{number:02d}", "l00") for number in range(MOST + 3) for _ in range(20 - number)])
    assert found is not None
    assert (found["labels"], found["left_out"]) == ([f"l{number:02d}" for number in range(MOST)], 3)


def test_names_by_type() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "O"], ["O", "B-ORG"]]
    guess = [["B-PER", "I-PER", "O", "B-ORG"], ["B-LOC", "O"], ["B-MISC", "O"]]
    found = of("tagging", list(zip(gold, guess, strict=True)))
    assert found is not None
    rows = {row.pop("type"): list(row.values()) for row in found["rows"]}
    assert rows == {
        "LOC": [2, 1, 1, 1.0, 0.5, 0.6667],
        "MISC": [0, 1, 0, 0.0, None, 0.0],
        "ORG": [1, 1, 0, 0.0, 0.0, 0.0],
        "PER": [1, 1, 1, 1.0, 1.0, 1.0],
    }


def test_nothing_to_count() -> None:
    assert of("span", [("a", "b")]) is None
    assert of("number", [(1.0, 2.0)]) is None
    assert breakdown("text", {}, [{"id": "x", "predicted": "a"}]) is None
