"""A foreground run on the terminal: each stage's own lines as they come, then a table; Prefect's lines go to a file."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

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


def show_scores(console: Console, tables: Sequence[Mapping[str, Any]], decisions: Sequence[Mapping[str, Any]]) -> None:
    """A small table for each kind of model and one for the tasks; then, a line a model, what the gate decided."""
    for table in tables:
        shown = Table(box=None, pad_edge=False)
        shown.add_column(escape(table["title"]), header_style="bold")
        for name in table["columns"]:
            shown.add_column(escape(name), justify="right")
        for row in table["rows"]:
            shown.add_row(*map(escape, row))
        console.print(shown)
        if table["note"]:
            console.print(escape(table["note"]), style="dim", highlight=False)
        console.print()
    for each in decisions:
        console.print(f"gate  {escape(_verdict(each))}", highlight=False, soft_wrap=True)


def show_study(console: Console, results: Mapping[str, Any]) -> None:
    """A small table for each measure of a study, and what may be said of it."""
    from firth.report.study import findings

    for measure in results["measures"]:
        table = Table(box=None, pad_edge=False)
        table.add_column(escape(measure["title"]), header_style="bold")
        for heading in ("mean loss", "best", "worst"):
            table.add_column(heading, justify="right")
        for cell in measure["cells"]:
            table.add_row(escape(cell["cell"]), *(f"{cell[key]:.3f}" for key in ("mean", "low", "high")))
        table.add_row("piece frequencies", f"{measure['unigram']:.3f}", "", "", style="dim")
        console.print(table)
        for sentence in findings(measure, results["paper"], len(results["seeds"])):
            console.print(escape(sentence), highlight=False, soft_wrap=True)
        console.print()


def _verdict(decision: Mapping[str, Any]) -> str:
    version = decision.get("champion")
    held = f"@champion is v{version}" if version is not None else "there is no champion"
    reasons = "; ".join(decision.get("reasons", []))
    if decision["verdict"] in ("refused", "pending"):
        return f"{decision['model']}: {decision['verdict']}: {reasons}; {held}"
    return f"{decision['model']}: {decision['verdict']}, {held}"
