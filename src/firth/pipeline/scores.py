"""Final scores as they lie in `data/`, one row a model: for the terminal's table and the flow run's artifact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firth.canonical import read_json

SUITE_METRIC = {"analogies": "accuracy"}
"""A suite's score by its metric name; the others are rank correlations."""


def scores(folder: Path) -> dict[str, dict[str, str]]:
    """`{model: {metric: text}}` of the project at `folder`; a score with its interval where the suites give one."""
    table: dict[str, dict[str, str]] = {}
    for path in sorted((folder / "data" / "metrics").glob("*.json")):
        found = read_json(path)
        if any(isinstance(value, Mapping) for value in found.values()):
            for model, values in found.items():
                _add(table, model, values)
        else:
            _add(table, path.stem.partition("-")[2] or path.stem, found)
    results = folder / "data" / "tasks" / "words" / "results.json"
    if results.is_file():
        for model, suites in read_json(results).get("models", {}).items():
            for suite, result in suites.items():
                metric = f"{suite}/{SUITE_METRIC.get(suite, 'spearman')}"
                table.setdefault(model, {})[metric] = _interval(result)
    return table


def columns(table: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The metrics of `table`, those that every model has first."""
    names = dict.fromkeys(name for row in table.values() for name in row)
    return sorted(names, key=lambda name: -sum(name in row for row in table.values()))


def markdown(table: Mapping[str, Mapping[str, str]]) -> str:
    """`table` as a Markdown table."""
    names = columns(table)
    lines = ["| model | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    lines += ["| " + " | ".join([model, *(row.get(name, "") for name in names)]) + " |" for model, row in table.items()]
    return "\n".join(lines)


def _add(table: dict[str, dict[str, str]], model: str, values: Any) -> None:
    for name, value in values.items() if isinstance(values, Mapping) else ():
        if isinstance(value, int | float) and not isinstance(value, bool):
            table.setdefault(model, {})[name] = f"{value:#.4g}" if isinstance(value, float) else f"{value:,}"


def _interval(result: Mapping[str, Any]) -> str:
    score, low, high = result.get("score"), result.get("low"), result.get("high")
    if score is None:
        return "–"
    return f"{score:.3f}" if low is None or high is None else f"{score:.3f} [{low:.3f}, {high:.3f}]"
