"""`firth promote`, `approve`, `rollback`, `lineage` and `models`: the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from firth.project import find_root

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    app.command(rich_help_panel="Registry")(promote)
    app.command(rich_help_panel="Registry")(approve)
    app.command(rich_help_panel="Registry")(rollback)
    app.command(rich_help_panel="Registry")(lineage)
    app.command(rich_help_panel="Registry")(models)


def promote(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="skipgram, cbow, bert; default: those of gate.models."),
    ] = None,
    json: Json = False,
) -> None:
    """Register what was trained and let the gate decide: the policy is `gate` in params.yaml.

    A refusal is a verdict, not a failure: it is printed with its reasons and kept on the version. Where one of several
    models cannot be decided, the others' decisions are printed before the error.
    """
    from firth.registry.promote import SomeFailedError, promote_all
    from firth.registry.show import decisions_table

    root = _project()
    failed = None
    try:
        promotions = promote_all(root, names or None)
    except SomeFailedError as error:
        promotions, failed = list(error.done), error
    _print([item.data() for item in promotions] if json else decisions_table(promotions))
    if failed is not None:
        raise failed


def approve(
    address: Annotated[str, typer.Argument(metavar="MODEL/VERSION", help="Such as bert/3 or bert@challenger.")],
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no: it is not promoted.")] = False,
    by: Annotated[str, typer.Option(help="Who says so; default: the user of this process.")] = "",
) -> None:
    """Promote what the gate would promote, where `gate.approval` asks for a person's word; or refuse it."""
    from firth.registry.approval import approve as say

    done = say(address, not refuse, by, _project())
    held = f"version {done.champion} is @champion" if done.champion else "there is no champion"
    print(f"{done.name} version {done.version}: {done.verdict} by {done.by}; {held}")


def rollback(name: Annotated[str, typer.Argument(metavar="MODEL", help="Such as word2vec-skipgram or bert.")]) -> None:
    """Give @champion back to @previous; a second rollback restores the first state."""
    from firth.registry.rollback import rollback as roll_back

    done = roll_back(name, _project())
    print(f"{done.name}: version {done.champion} is @champion again; version {done.replaced} is @previous")


def lineage(
    address: Annotated[
        str, typer.Argument(metavar="MODEL@ALIAS", help="Such as word2vec-skipgram@champion or bert/2.")
    ],
    json: Json = False,
) -> None:
    """Walk back: alias, version, run, git commit, DVC hashes, validation, sources."""
    from firth.tracking.lineage import lineage as walk

    found = walk(address, _project())
    _print(found.data() if json else found.render())


def models(json: Json = False) -> None:
    """List the registered versions with their scores."""
    from dataclasses import asdict

    from firth.registry.show import ModelsTable, registered

    rows = registered(_project())
    if not rows and not json:
        print("no model is registered yet: `firth run` trains and registers")
        return
    _print([asdict(row) for row in rows] if json else ModelsTable(rows))


def _project() -> Path:
    """The project folder; its servers are used where they run."""
    import os

    from firth.pipeline import services

    root = find_root()
    for name, value in services.environment(root).items():
        os.environ.setdefault(name, value)
    return root


def _print(value: object) -> None:
    if isinstance(value, list | dict):
        from firth.canonical import dumps

        print(dumps(value), end="")
    else:
        Console().print(value)
