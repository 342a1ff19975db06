"""`firth study`: trainings of BERT that differ in one thing, compared."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from firth.errors import FirthError
from firth.project import find_root


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="Pipeline")(study)


def study(
    name: Annotated[str | None, typer.Argument(help="Which study; --list names them.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one parameter for all trainings; repeatable."),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Start from a preset instead of params.yaml.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Trainings of each cell. Nothing is claimed of one.")] = 1,
    output: Annotated[
        Path | None, typer.Option(help="Folder for results and page [.firth/studies/NAME].", file_okay=False)
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the studies and what each compares.")] = False,
) -> None:
    """Train BERT in several ways that differ in one thing, and draw what held-out words say of them.

    What is trained already is kept; what was broken off goes on. Each training is a DVC experiment with its MLflow run.
    """
    if list_:
        _list()
        return
    if name is None:
        raise FirthError("name a study; `firth study --list` shows which there are")
    from firth.pipeline import foreground

    where = str(output.expanduser().absolute()) if output else ""
    sys.exit(foreground.study(find_root(), name, preset, set_ or [], seeds, where))


def _list() -> None:
    from firth.pipeline.studies import STUDIES

    table = Table(box=None, pad_edge=False)
    for heading in ("study", "compares", "asks"):
        table.add_column(heading)
    for name, found in STUDIES.items():
        table.add_row(name, ", ".join(cell.name for cell in found.cells).replace("[", "\\["), found.question)
    Console().print(table)
