"""`firth run`, `configure`, `up`, `down`, `status`, `report` and `gc`: the project and its pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from firth.errors import FirthError
from firth.project import find_root, state_folder

NO_REPORT = "there is no report yet: `firth run` or `dvc repro` writes one"


def add_to(app: typer.Typer) -> None:
    """Register this module's commands."""
    app.command(rich_help_panel="Pipeline")(run)
    app.command(rich_help_panel="Pipeline")(configure)
    app.command(rich_help_panel="Pipeline")(report)
    app.command(rich_help_panel="Pipeline")(gc)
    app.command(rich_help_panel="Servers")(up)
    app.command(rich_help_panel="Servers")(down)
    app.command(rich_help_panel="Servers")(status)


def run(
    stages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STAGE]...", help="Only these stages, such as word2vec@cbow, and what they need."),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Run with a preset instead of params.yaml.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one parameter for this run; repeatable."),
    ] = None,
    promote: Annotated[bool, typer.Option(help="Offer the trained models to the gate at the end.")] = True,
) -> None:
    """Run the pipeline: every stage that is not up to date, then the gate, then the report.

    The same flow as the Prefect UI's. The run works in a git worktree of its own; with --set or --preset it leaves this
    folder untouched, and `dvc exp apply` brings its results here.
    """
    from firth.pipeline import foreground

    root = find_root()
    sys.exit(foreground.run(root, preset=preset, overrides=set_ or [], stages=stages or [], promote=promote))


def configure(
    preset: Annotated[str, typer.Argument(help="Name of a preset.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one parameter on the way; repeatable."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace parameters that git does not hold.")] = False,
) -> None:
    """Write a preset to params.yaml and say what changed."""
    from firth.config.load import flatten, parse, preset_text, with_overrides

    text, after = with_overrides(preset_text(preset), set_ or [], f"preset {preset}")
    path = _folder() / "params.yaml"
    if path.is_file():
        if path.read_text(encoding="utf-8") == text:
            print(f"{path.name} already is the preset {preset}")
            return
        if not force and unsaved(path):
            raise FirthError(
                f"{path}: holds changes that are not committed; commit them, or give --force to replace them"
            )
        before = flatten(parse(path.read_text(encoding="utf-8"), str(path)))
    else:
        before = {}
    path.write_text(text, encoding="utf-8")
    now = flatten(parse(text, str(path)))
    changed = [key for key in now if key not in before or before[key] != now[key]]
    dropped = [key for key in before if key not in now]
    for key in changed[:40]:
        print(f"  {key}: {before.get(key, '(new)')} -> {now[key]}" if before else f"  {key}: {now[key]}")
    if len(changed) > 40:
        print(f"  … and {len(changed) - 40} more")
    for key in dropped:
        print(f"  {key}: removed")
    print(f"{path.name} now is the preset {after.preset}")


def report(
    render: Annotated[
        bool, typer.Option(help="Render the page anew from the outputs, the runs and the registry.")
    ] = False,
) -> None:
    """Print the path of the report."""
    root = find_root()
    if render:
        from firth.pipeline import finish

        page = finish.render_report(root)
        if page is None:
            raise FirthError(NO_REPORT)
        print(page)
        return
    final = state_folder(root) / "report" / "index.html"
    plain = root / "data" / "report" / "index.html"
    for path in (final, plain):
        if path.is_file():
            print(path)
            return
    raise FirthError(NO_REPORT)


def gc(
    days: Annotated[
        int, typer.Option(min=0, help="Keep checkpoints, and trainings of evaluations, younger than this.")
    ] = 7,
    experiments: Annotated[bool, typer.Option(help="Also remove the saved experiments of removed worktrees.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, remove nothing.")] = False,
) -> None:
    """Remove worktrees of finished runs, and checkpoints and trainings of evaluations that nothing needs any more."""
    from firth.pipeline import gc as collector

    collector.collect(find_root(), days=days, experiments=experiments, dry_run=dry_run)


def up(
    prefect_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the Prefect server [4200].")
    ] = None,
    mlflow_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the MLflow server [5000].")] = None,
) -> None:
    """Start a Prefect server, an MLflow server and a worker on this machine; deploy the flows; print the addresses."""
    from firth.pipeline import services

    services.up(find_root(), prefect_port=prefect_port, mlflow_port=mlflow_port)
    status()


def down() -> None:
    """Stop what `firth up` started, and nothing else."""
    from firth.pipeline import services

    services.down(find_root())


def status() -> None:
    """Say which servers run and where, and which of their pages to open."""
    from firth.pipeline import services
    from firth.pipeline.pages import pages

    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", "address"):
        table.add_column(heading)
    found = services.status(find_root())
    for service in found:
        table.add_row(service.name, service.state, service.address or "")
    Console().print(table)
    worth_opening = pages(found)
    if worth_opening:
        print()
    for what, address in worth_opening.items():
        print(f"{what:<19} {address}")


def _folder() -> Path:
    try:
        return find_root()
    except FirthError:
        if (Path.cwd() / "dvc.yaml").is_file():
            return Path.cwd()
        raise


def unsaved(path: Path) -> bool:
    """Whether git lacks this file's present content."""
    import subprocess

    found = subprocess.run(
        ["git", "status", "--porcelain", "--", path.name], cwd=path.parent, capture_output=True, text=True, check=False
    )
    return found.returncode != 0 or bool(found.stdout.strip())
