"""What tables say of a score: which of the trainings it is of, and by which protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

POOLINGS = {
    "mean": " A text's vector is the mean of its tokens' here, that of [CLS] in the paper.",
    "cls": " A text's vector is that of [CLS], as in the paper.",
}


def how_scored(system: Mapping[str, Any]) -> str:
    """In words, what the score of a system of `results.json` is of: `median of 5 seeds; 1 of 5 collapsed`.

    A seed whose training diverged and was not replaced has no score, and the median is of the others: `median of 2
    seeds that ended; 1 of 3 diverged`.
    """
    runs = system.get("runs", [])
    if "ensemble_of" in system:
        return f"ensemble of {len(system['ensemble_of'])}"
    if system.get("score_is") == "best":
        said = f"best of {len(runs)} on dev"
    else:
        counted = [run for run in runs if "replaced_by" not in run]
        ended = [run for run in counted if "diverged_at" not in run]
        count = len(counted) or len(system["seeds"])
        said = f"median of {count} seeds" if count > 1 else "one seed"
        if len(ended) < len(counted):
            said = f"median of {len(ended)} seeds that ended" if len(ended) > 1 else "the one seed that ended"
    if any("epoch" in run for run in runs):
        said += ", epoch chosen on dev"
    return "; ".join([said, *(f"{count} of {len(runs)} {how}" for how, count in failures(system).items())])


def failures(system: Mapping[str, Any]) -> dict[str, int]:
    """How many of a system's trainings failed in each way, `collapsed` and `diverged`; no way that none did."""
    runs = system.get("runs", [])
    counts = {"collapsed": sum(run["collapsed"] for run in runs), "diverged": sum("diverged_at" in run for run in runs)}
    return {how: count for how, count in counts.items() if count}


def protocol_in_words(settings: Mapping[str, Any]) -> str:
    """What the protocol of a `results.json` means, in a line; of one that names none it was `sane`."""
    if settings.get("protocol", "sane") == "sane":
        return "Protocol sane: one setting, the median of the seeds."
    return (
        "Protocol paper: a fine-tuned BERT is the best of its grid on the dev side itself, an optimistic score; all "
        f"else is the median of the seeds.{POOLINGS.get(settings.get('pooling', ''), '')}"
    )
