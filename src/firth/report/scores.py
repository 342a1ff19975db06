"""Scores as the page shows them: intervals per section, worked examples, loss curves of a drawable length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Z95 = 1.959964
CURVE_POINTS = 160
EXAMPLES = 6
DECIMALS = 4


def wilson(correct: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson, 1927); it stays inside 0–1, also for none or all correct."""
    if total == 0:
        return 0.0, 1.0
    share = correct / total
    spread = Z95 * math.sqrt(share * (1 - share) / total + Z95**2 / (4 * total**2))
    middle = share + Z95**2 / (2 * total)
    scale = 1 + Z95**2 / total
    return round(max(0.0, (middle - spread) / scale), DECIMALS), round(min(1.0, (middle + spread) / scale), DECIMALS)


def sections(found: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Tallies `{name: {"correct", "covered", "total"}}` as rows with accuracy and interval over covered questions."""
    rows: list[dict[str, Any]] = []
    for name in sorted(found):
        tally = found[name]
        correct, total = int(tally["correct"]), int(tally["total"])
        covered = int(tally.get("covered", total))
        low, high = wilson(correct, covered)
        accuracy = round(correct / covered, DECIMALS) if covered else None
        rows.append(
            {
                "name": name,
                "correct": correct,
                "covered": covered,
                "total": total,
                "accuracy": accuracy,
                "low": low,
                "high": high,
            }
        )
    return rows


def examples(
    predictions: Sequence[Mapping[str, Any]], index: Mapping[str, int], count: int = EXAMPLES
) -> dict[str, list[dict[str, str]]]:
    """Worked analogies, `{"right": […], "wrong": […]}` of `{"section", "a", "b", "c", "expected", "predicted"}`.

    Sections take turns; within one, questions made of frequent words come first, since readers know those words.
    """
    answered = [row for row in predictions if row.get("suite") == "analogies" and row.get("predicted") is not None]
    right: list[Mapping[str, Any]] = []
    wrong: list[Mapping[str, Any]] = []
    for row in answered:
        (right if str(row["predicted"]).casefold() == str(row["expected"]).casefold() else wrong).append(row)
    return {"right": _in_turns(right, index, count), "wrong": _in_turns(wrong, index, count)}


def _in_turns(rows: Sequence[Mapping[str, Any]], index: Mapping[str, int], count: int) -> list[dict[str, str]]:
    keys = ("section", "a", "b", "c", "expected", "predicted")
    plain = [
        {key: str(row[key]) if key == "section" else _as_known(str(row[key]), index) for key in keys} for row in rows
    ]
    asked = ("a", "b", "c", "expected")
    plain.sort(key=lambda row: (max(index.get(row[key], len(index)) for key in asked), *(row[key] for key in keys)))
    turn: dict[str, int] = {}
    seen: set[str] = set()
    ranked: list[tuple[int, int, dict[str, str]]] = []
    for place, row in enumerate(plain):
        # The questions repeat each pair many times over; one question a pair shows more.
        if {row["a"], row["c"]} & seen:
            continue
        seen |= {row["a"], row["c"]}
        ranked.append((turn.setdefault(row["section"], 0), place, row))
        turn[row["section"]] += 1
    return [row for _, _, row in sorted(ranked, key=lambda item: item[:2])[:count]]


def _as_known(word: str, index: Mapping[str, int]) -> str:
    """`word` in the spelling of the vocabulary: the questions write `Paris` where a lower-cased text has `paris`."""
    return word if word in index or word.lower() not in index else word.lower()


def curve(history: Sequence[Mapping[str, Any]]) -> dict[str, list[list[float]]]:
    """`{"train": [[words, loss], …], "heldout": …}` of a `history.json`; long curves are averaged in equal steps."""
    train = [(float(row["step"]), float(row["loss"])) for row in history if row.get("loss") is not None]
    heldout = [
        (float(row["step"]), float(row["heldout_loss"])) for row in history if row.get("heldout_loss") is not None
    ]
    return {"train": thin(train), "heldout": thin(heldout)}


def thin(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    """`points` as lists; more than `CURVE_POINTS` are averaged in equal steps."""
    size = max(1, math.ceil(len(points) / CURVE_POINTS))
    bins = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        [round(sum(x for x, _ in part) / len(part)), round(sum(y for _, y in part) / len(part), DECIMALS)]
        for part in bins
    ]
