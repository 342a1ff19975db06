"""The system whose answers the page shows and breaks down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shown(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of the systems of a `results.json` the best one that is clear of the majority answer, else the best one.

    Returns:
        `{"system", "name", "clear_of_majority"}`: named in words, and whether it is better than that answer beyond
        chance; None where no system was measured.
    """
    ranked = sorted(results["systems"], key=lambda row: -float(row["score"]))
    if not ranked:
        return None
    majority = (results.get("majority") or {}).get("score")
    clear = [row for row in ranked if not row["tie_with_majority"] and (majority is None or row["score"] > majority)]
    best = (clear or ranked)[0]
    frozen = ", frozen" if best["mode"] == "frozen" else ""
    return {"system": best["system"], "name": f"{best['label']}{frozen}", "clear_of_majority": bool(clear)}
