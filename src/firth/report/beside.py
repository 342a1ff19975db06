"""Our scores beside the published ones: a table for each of the paper's, where a task is of one of its sets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firth.config.tasks import AnyTask
from firth.report.extent import extent
from firth.report.published import TABLES, Column, Table
from firth.tasks.evaluation.in_words import how_scored, protocol_in_words

if TYPE_CHECKING:
    from firth.report.inputs import TaskRun

WNLI = Column("WNLI", "glue/wnli", "accuracy", "accuracy", None)
"""GLUE's ninth set, which the paper leaves out: behind the average, and no part of it."""

DECIMALS = 4


@dataclass(frozen=True)
class Task:
    """A task of an official set: what was measured, and `extent`'s rows of that set."""

    run: TaskRun
    set: str
    rows: Mapping[str, int | None]


@dataclass(frozen=True)
class Place:
    """A column, with the task of ours that stands in it, if there is one."""

    column: Column
    task: Task | None
    repeated: bool = False
    """Whether several tasks are of the column's set; each then has a column."""

    @property
    def results(self) -> Mapping[str, Any]:
        """Of the task; without one, of no system."""
        return self.task.run.results if self.task else {"systems": [], "metric": None}

    @property
    def own_metric(self) -> bool:
        """Whether our task is scored by the column's metric."""
        return bool(self.results["metric"] == self.column.metric)


def beside(runs: Sequence[TaskRun], entries: Mapping[str, AnyTask]) -> list[dict[str, Any]]:
    """One table for each of the paper's that has a set which a task is of; see `docs/architecture.md`."""
    found = [(run, extent(run, entries[run.name])) for run in runs]
    tasks = [Task(run, one["set"], one["rows"]) for run, one in found if one]
    return [
        _table(table, tasks)
        for table in TABLES
        if {task.set for task in tasks} & {column.of for column in table.columns}
    ]


def _table(table: Table, tasks: Sequence[Task]) -> dict[str, Any]:
    inside = [place for column in table.columns for place in _places(column, tasks)]
    apart = [place for place in _places(WNLI, tasks) if place.task] if table.averages else []
    places = [*inside, *apart]

    def line(scores: Sequence[Any], average: Any) -> list[Any]:
        """With the average, where the table has one, behind the columns that it is of."""
        return [*scores[: len(inside)], *([average] if table.averages else []), *scores[len(inside) :]]

    printed = {column: number for number, column in enumerate(table.columns)}
    ours = {row["system"]: row for place in places for row in place.results["systems"]}
    cells = {system: [_cell(place, system) for place in places] for system in ours}
    counts = {system: [cell["seeds"] for cell in cells[system] if cell and cell["seeds"]] for system in ours}
    means = {system: _average(inside, cells[system], table) for system in ours}
    average = {
        "name": "Average", "score": "mean", "published_on": "test", "repeated": False, "task": None,
        "measured_on": "dev" if any(means.values()) else None, "examples": None,
    }  # fmt: skip
    return {
        "family": table.family,
        "title": table.title,
        "source": table.source,
        "columns": line([_column(place) for place in places], average),
        "published": [
            {
                "system": system,
                "scores": line(
                    [scores[printed[place.column]] if place.column in printed else None for place in places],
                    table.averages[number] if table.averages else None,
                ),
            }
            for number, (system, scores) in enumerate(table.rows)
        ],
        "ours": [
            {key: row[key] for key in ("system", "encoder", "mode", "label")}
            | {
                "seeds": sorted({min(counts[system]), max(counts[system])}) if counts[system] else [],
                "scores": line(cells[system], means[system]),
            }
            for system, row in ours.items()
        ],
        "majority": line([_majority(place) for place in places], None),
        "protocols": sorted({protocol_in_words(place.results.get("settings", {})) for place in places if place.task}),
        "other_metrics": [
            {"name": column.name, "score": column.score, "metric": metric}
            for column, metric in dict.fromkeys(
                (place.column, place.results["metric"]) for place in places if place.task and not place.own_metric
            )
        ],
    }


def _places(column: Column, tasks: Sequence[Task]) -> list[Place]:
    """One a task that is of the column's set; without one the column stands for the published scores alone.

    The answers of test sets are not at hand. Where the paper has both sides, ours stand beside its dev side.
    """
    within = [task for task in tasks if task.set == column.of and (column.side != "test" or "glue/" in column.of)]
    return [Place(column, task, len(within) > 1) for task in within] or [Place(column, None)]


def _column(place: Place) -> dict[str, Any]:
    column, task = place.column, place.task
    said = {"name": column.name, "score": column.score, "published_on": column.side, "repeated": place.repeated}
    if task is None:
        return said | {"task": None, "measured_on": None, "examples": None}
    examples = task.run.results["examples"]
    return said | {
        "task": task.run.name,
        "measured_on": "dev" if task.rows["dev"] else "part of train",
        "examples": {side: {"count": int(examples[side]), "of": task.rows[side]} for side in ("train", "dev")},
    }


def _cell(place: Place, system: str) -> dict[str, Any] | None:
    row = next((row for row in place.results["systems"] if row["system"] == system), None)
    if row is None:
        return None
    score = row["score"] if place.own_metric else row.get("details", {}).get(place.column.metric)
    if score is None:
        return None
    seeds = _seeds(row)
    return {
        "score": round(float(score), DECIMALS),
        # The seeds' scores are by the task's own metric.
        "spread": round(statistics.stdev(seeds), DECIMALS) if place.own_metric and len(seeds) > 1 else None,
        "seeds": len(seeds),
        "score_of": how_scored(row),
        "tie": bool(row["tie_with_majority"]),
    }


def _seeds(row: Mapping[str, Any]) -> list[float]:
    """The scores that the score is of: not those of trainings that diverged, or in whose place another one stands."""
    if row.get("score_is") == "median":
        runs = [run for run in row["runs"] if "replaced_by" not in run]
        return [float(run["score"]) for run in runs if run["score"] is not None]
    return [float(score) for score in row.get("seeds", [])]


def _majority(place: Place) -> float | None:
    """The answer without an encoder, where its score is by the column's metric."""
    score = (place.results.get("majority") or {}).get("score")
    return round(float(score), DECIMALS) if place.own_metric and score is not None else None


def _average(inside: Sequence[Place], cells: Sequence[Mapping[str, Any] | None], table: Table) -> dict[str, Any] | None:
    """The mean of the columns that the paper's average is of; None unless each is there, once, on the dev side."""
    whole = [place for place in inside if place.task and place.task.rows["dev"] and not place.repeated]
    scores = [cell["score"] for cell in cells[: len(inside)] if cell]
    if not len(table.columns) == len(whole) == len(scores):
        return None
    mean = round(statistics.fmean(scores), DECIMALS)
    return {"score": mean, "spread": None, "seeds": 0, "score_of": "mean of the columns", "tie": False}
