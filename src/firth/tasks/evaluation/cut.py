"""Examples that are longer than an encoder reads: how many there are on each side, and what would help."""

from __future__ import annotations

from typing import Any

from firth.tasks.encoders.reading import Reading

_REMEDIES = {
    "length": "were cut; raise length",
    "query_length": "were cut (their questions); raise query_length",
    "positions": "were cut; this model has no more positions",
}


def cut_details(train: Reading, dev: Reading) -> dict[str, Any]:
    """`cut` and `cut_share` of the dev side, `train_cut` of the other one; none of them where nothing was cut."""
    details: dict[str, Any] = {}
    count, all_ = _counts(dev)
    if count:
        details |= {"cut": count, "cut_share": count / all_}
    if learned := _counts(train)[0]:
        details["train_cut"] = learned
    return details


def cut_in_words(train: Reading, dev: Reading) -> str | None:
    """The same for a reader: `2 of 3 dev examples are longer than 128 tokens and were cut; raise length`."""
    if dev.cut is None:
        return None
    sides = {"dev": _counts(dev), "training": _counts(train)}
    said = " and ".join(f"{count:,} of {all_:,} {side} examples" for side, (count, all_) in sides.items() if count)
    return f"{said} are longer than {dev.cut.most} tokens and {_REMEDIES[dev.cut.bound]}" if said else None


def _counts(reading: Reading) -> tuple[int, int]:
    return (0, 0) if reading.cut is None else (int(reading.cut.examples.sum()), len(reading.cut.examples))
