"""What tables say of a score: which of the trainings it is of, and by which protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def how_scored(system: Mapping[str, Any]) -> str:
    """In words, what the score of a system of `results.json` is of: `median of 5 seeds; 1 of 5 collapsed`."""
    runs = system.get("runs", [])
    if "ensemble_of" in system:
        return f"ensemble of {len(system['ensemble_of'])}"
    if system.get("score_is") == "best":
        said = f"best of {len(runs)} on dev"
    else:
        counted = [run for run in runs if "replaced_by" not in run] or system["seeds"]
        said = f"median of {len(counted)} seeds" if len(counted) > 1 else "one seed"
    if any("epoch" in run for run in runs):
        said += ", epoch chosen on dev"
    collapsed = sum(run["collapsed"] for run in runs)
    return f"{said}; {collapsed} of {len(runs)} collapsed" if collapsed else said


def protocol_in_words(settings: Mapping[str, Any]) -> str:
    """What the protocol of a `results.json` means, in a line; of one that names none it was `sane`."""
    if settings.get("protocol", "sane") == "sane":
        return "Protocol sane: one setting, the median of the seeds."
    return (
        "Protocol paper: a fine-tuned BERT is the best of its grid on the dev side itself, an optimistic score; all "
        "else is the median of the seeds."
    )
