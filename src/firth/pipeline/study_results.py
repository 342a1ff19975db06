"""What the cells of a study came to, side by side, and which differences are more than chance between seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from firth.errors import DataError
from firth.pipeline.studies import Measure, Study

RESULTS = "results.json"
CONFIDENCE = 0.95
"""That of all differences of one measure together."""


def results(
    name: str, study: Study, records: Sequence[Mapping[str, Any]], settings: Sequence[str], preset: str | None
) -> dict[str, Any]:
    """`results.json`: plain values, for the page and for other programs.

    Raises:
        DataError: there was no held-out text to measure the cells on.
    """
    return {
        "study": name,
        "title": study.title,
        "question": study.question,
        "comparable": study.comparable,
        "paper": study.paper,
        "preset": preset,
        "settings": list(settings),
        "seeds": sorted({int(record["seed"]) for record in records}),
        "measures": [_measured(each, study, records) for each in study.measures],
        "runs": [{key: value for key, value in record.items() if key != "key"} for record in records],
    }


def _measured(measure: Measure, study: Study, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    losses: dict[str, dict[int, float]] = {cell.name: {} for cell in study.cells}
    last: Mapping[str, Any] = {}
    for record in records:
        found = record["measured"][measure.key]
        if found is None:
            raise DataError(
                "the study has no held-out words to compare its cells on; give prepare.heldout_share more of the corpus"
            )
        losses[record["cell"]][int(record["seed"])] = found["loss"]
        last = found
    others = [cell.name for cell in study.cells if cell.name != study.paper]
    return {
        "key": measure.key,
        "title": measure.title,
        "positions": last["positions"],
        "unigram": last["unigram"],
        "cells": [_cell(name, by_seed) for name, by_seed in losses.items()],
        "differences": [difference(name, losses[name], losses[study.paper], len(others)) for name in others],
    }


def _cell(name: str, by_seed: Mapping[int, float]) -> dict[str, Any]:
    values = [by_seed[seed] for seed in sorted(by_seed)]
    return {
        "cell": name,
        "losses": values,
        "mean": statistics.fmean(values),
        "low": min(values),
        "high": max(values),
    }


def difference(name: str, losses: Mapping[int, float], others: Mapping[int, float], comparisons: int) -> dict[str, Any]:
    """How far `losses` lie above `others`, seed by seed, with the interval of Student's t over the seeds.

    It is wide enough that all `comparisons` of a measure hold together 95 times in 100 (Bonferroni). `clear`: the
    interval does not hold 0; with one seed there is no interval, and nothing is clear.
    """
    from scipy.stats import t

    gaps = [losses[seed] - others[seed] for seed in sorted(losses)]
    mean = statistics.fmean(gaps)
    if len(gaps) < 2:
        return {"cell": name, "mean": mean, "low": None, "high": None, "clear": False}
    error = statistics.stdev(gaps) / math.sqrt(len(gaps))
    reach = float(t.ppf(1 - (1 - CONFIDENCE) / (2 * comparisons), len(gaps) - 1)) * error
    return {
        "cell": name,
        "mean": mean,
        "low": mean - reach,
        "high": mean + reach,
        "clear": not mean - reach <= 0.0 <= mean + reach,
    }
