"""A foreground run on the terminal: each stage's own lines as they come, then a table; Prefect's lines go to a file."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from firth.pipeline.scores import columns
from firth.pipeline.tasks import EVENT
from firth.progress import duration

MARKS = {"start": ("▸", "cyan"), "done": ("✓", "green"), "skip": ("=", "dim"), "fail": ("✗", "red"), "note": ("•", "")}
STATE_STYLES = {"done": "green", "restored": "green", "up to date": "dim", "failed": "red", "stopped": "yellow"}


class Lines(logging.Handler):
    """Prints the log records of stages, one line each; leaves all others alone."""

    def __init__(self, console: Console, width: int) -> None:
        super().__init__(logging.INFO)
        self._console = console
        self._width = width

    def emit(self, record: logging.LogRecord) -> None:
        """Print a stage's line; its name comes from the Prefect task run."""
        event = getattr(record, EVENT, None)
        if event is None:
            return
        mark, style = MARKS.get(event, (" ", ""))
        name = getattr(record, "task_run_name", "").ljust(self._width)
        for line in record.getMessage().splitlines() or [""]:
            text = escape(f"{mark} {name}  {line}")
            self._console.print(f"[{style}]{text}[/]" if style else text, highlight=False, soft_wrap=True)


def listen(console: Console, width: int, file: Path) -> None:
    """Send stages' lines to `console` and everything Prefect says to `file`."""
    from prefect.logging.configuration import setup_logging

    setup_logging()
    everything = logging.FileHandler(file, encoding="utf-8")
    everything.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.getLogger().handlers = [Lines(console, width), everything]


def show_stages(console: Console, outcomes: Sequence[Mapping[str, Any]]) -> None:
    """A line a stage: how it ended and how long it took."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    table.add_column("state")
    table.add_column("time", justify="right")
    for each in outcomes:
        style = STATE_STYLES.get(each["state"], "")
        took = duration(each["seconds"]) if each["seconds"] else ""
        table.add_row(escape(each["stage"]), f"[{style}]{each['state']}[/]" if style else each["state"], took)
    console.print(table)


def show_scores(
    console: Console, table: Mapping[str, Mapping[str, str]], decisions: Sequence[Mapping[str, Any]]
) -> None:
    """A column a model: its scores, and what the gate decided about it."""
    if not table:
        return
    shown = Table(box=None, pad_edge=False)
    shown.add_column("")
    for model in table:
        shown.add_column(escape(model), justify="right")
    for name in columns(table):
        shown.add_row(escape(name), *(escape(row.get(name, "–")) for row in table.values()))
    verdicts = {str(each["model"]): each for each in decisions}
    if verdicts:
        shown.add_row("gate", *(_verdict(verdicts.get(model)) for model in table))
    console.print(shown)
    for each in decisions:
        if each["verdict"] == "refused":
            console.print(f"{each['model']}: refused: " + escape("; ".join(each.get("reasons", []))), highlight=False)


def _verdict(decision: Mapping[str, Any] | None) -> str:
    if decision is None:
        return "–"
    version = decision.get("champion")
    held = f", @champion is v{version}" if version is not None else ""
    return escape(f"{decision['verdict']}{held}")
