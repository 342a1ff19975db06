"""Where the answers to a task go wrong: which labels are taken for which, and which names are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from firth.tasks.measures.entities import entities

MOST = 10
"""Labels, or types of names, that are told apart; the most frequent ones."""
DECIMALS = 4


def breakdown(
    kind: str, dev: Mapping[str, Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """`dev` examples by id, and what was answered to them; None where there is nothing to count.

    Returns:
        Of labels `{"form": "confusion", "labels", "rows": [{"label", "counts", "right"}], "left_out"}`: how often each
        label was answered to examples of one, and the share of right ones. Of tags `{"form": "types", "rows":
        [{"type", "wanted", "found", "right", "precision", "recall", "f1"}], "left_out"}`, by type of name.
    """
    asked = [(dev[str(row["id"])], row["predicted"]) for row in answers if str(row["id"]) in dev]
    if not asked:
        return None
    if kind in ("text", "pair"):
        return _confusion([(str(example["label"]), str(predicted)) for example, predicted in asked])
    if kind == "tagging":
        return _types([(entities(example["tags"]), entities(predicted)) for example, predicted in asked])
    return None


def _confusion(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    frequent = Counter(expected for expected, _ in pairs).most_common()
    labels = sorted(label for label, _ in frequent[:MOST])
    counts = Counter(pairs)
    rows = [
        {
            "label": label,
            "counts": [counts[label, answer] for answer in labels],
            "right": _share(counts[label, label], sum(expected == label for expected, _ in pairs)),
        }
        for label in labels
    ]
    return {"form": "confusion", "labels": labels, "rows": rows, "left_out": len(frequent) - len(labels)}


def _types(sentences: Sequence[tuple[set[tuple[str, int, int]], set[tuple[str, int, int]]]]) -> dict[str, Any]:
    wanted, found, right = (
        Counter(kind for sets in sentences for kind, _, _ in pick(*sets))
        for pick in (lambda gold, _: gold, lambda _, guess: guess, set.intersection)
    )
    frequent = [kind for kind, _ in (wanted + found).most_common()]
    rows = [
        {
            "type": kind,
            "wanted": wanted[kind],
            "found": found[kind],
            "right": right[kind],
            "precision": _share(right[kind], found[kind]),
            "recall": _share(right[kind], wanted[kind]),
            "f1": _share(2 * right[kind], wanted[kind] + found[kind]),
        }
        for kind in sorted(frequent[:MOST])
    ]
    return {"form": "types", "rows": rows, "left_out": len(frequent) - len(rows)}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, DECIMALS) if whole else None
