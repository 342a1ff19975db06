"""Named entities in tags, and their F1 as CoNLL's own scorer counts it: an entity is right with its type and span."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firth.tasks.measures.measures import Counts, Measure, mean_of, ratio

OUTSIDE = "O"


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """`(type, first word, word behind the last)` of each entity.

    `B-` begins one, `I-` goes on with one of its type or else begins one; so IOB2 and IOB1 are read alike, except that
    IOB1 needs `B-` between two neighbours of one type. A tag without prefix is read as `I-`.
    """
    found = set()
    start, kind = 0, ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        begins, here = _parts(tag)
        if kind and (begins or here != kind):
            found.add((kind, start, place))
            kind = ""
        if here and not kind:
            start, kind = place, here
    return found


def _parts(tag: str) -> tuple[bool, str]:
    """Whether the tag begins an entity, and its type (empty for `O`)."""
    if tag == OUTSIDE:
        return False, ""
    return (tag[0] == "B", tag[2:]) if tag[:2] in ("B-", "I-") else (False, tag)


def measures(expected: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, Measure]:
    """`entity_f1`, `entity_precision`, `entity_recall` (micro averages) and the words' `accuracy`, by sentence."""
    spans: Counts = np.zeros((len(expected), 3))
    words: Counts = np.zeros((len(expected), 2))
    for row, (gold, guess) in enumerate(zip(expected, predicted, strict=True)):
        if len(gold) != len(guess):
            raise ValueError(f"sentence {row}: {len(gold)} tags expected, {len(guess)} predicted")
        wanted, found = entities(gold), entities(guess)
        spans[row] = len(wanted & found), len(found), len(wanted)
        words[row] = sum(a == b for a, b in zip(gold, guess, strict=True)), len(gold)
    return {
        "entity_f1": Measure(spans, f1_of),
        "entity_precision": Measure(spans, lambda sums: ratio(sums[:, 0], sums[:, 1])),
        "entity_recall": Measure(spans, lambda sums: ratio(sums[:, 0], sums[:, 2])),
        "accuracy": Measure(words, mean_of),
    }


def f1_of(sums: Counts) -> Counts:
    """F1 of sums (resamples, 3) of right, found and wanted entities; 0 where there are none."""
    return ratio(2 * sums[:, 0], sums[:, 1] + sums[:, 2])
