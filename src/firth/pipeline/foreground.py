"""`firth run` and `firth study`: the flows of the Prefect UI, in this process, with their progress on this terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from firth.canonical import read_json
from firth.errors import FirthError
from firth.pipeline import plan
from firth.pipeline.form import AS_IS
from firth.pipeline.graph import Project
from firth.pipeline.orchestrator import log_file, prefect_api
from firth.pipeline.schedule import Clock
from firth.progress import duration

PIPELINE, STUDY = "flows/pipeline.py:pipeline", "flows/study.py:study"
INTERRUPTED = 130

NEXT = (
    ("firth run --set word2vec.window=8", "change one parameter: only what depends on it runs"),
    ("firth up", "the same pipeline from a form in the browser; runs compared in MLflow"),
)


def run(
    root: Path,
    preset: str | None = None,
    overrides: Sequence[str] = (),
    stages: Sequence[str] = (),
    promote: bool = True,
) -> int:
    """Run the flow for the project at `root`; its exit code. A wrong request is refused before anything starts."""
    clock = Clock()
    asked = plan.make(root, preset, overrides, stages)
    arguments = {"preset": preset or AS_IS, "overrides": list(overrides), "stages": list(asked.targets)}
    status, summary = _call(root, PIPELINE, arguments | {"promote": promote})
    if status == 0:
        _show(summary, clock)
    return status


def study(
    root: Path, name: str, preset: str | None = None, overrides: Sequence[str] = (), seeds: int = 1, output: str = ""
) -> int:
    """Run the flow of studies, as `run`; its exit code."""
    from firth.pipeline import study as studies
    from firth.pipeline.study_results import RESULTS

    clock = Clock()
    asked = studies.Asked(root, name, preset, tuple(overrides), seeds, output)
    waiting = [each for each in studies.runs(asked) if each.found() is None]
    print(f"{name}: {len(waiting)} of {len(asked.study.cells) * seeds} trainings to make", file=sys.stderr)
    arguments = {"name": name, "preset": preset or AS_IS, "overrides": list(overrides)}
    status, made = _call(root, STUDY, arguments | {"seeds": seeds, "output": output})
    if status == 0:
        from firth.pipeline import terminal

        terminal.show_study(Console(), read_json(asked.folder / RESULTS))
        print(f"done ({duration(clock.seconds)})\nstudy: {made['page']}")
    return status


def _call(root: Path, entrypoint: str, arguments: Mapping[str, Any]) -> tuple[int, Any]:
    """Exit code and result of the flow at `entrypoint`; a failure is printed."""
    with Project(root) as project:
        width = max(map(len, project.graph().stages), default=0)
    os.chdir(root)  # the flow, like a worker, finds the project from the current folder
    console = Console(stderr=True)
    console.print("starting Prefect …", style="dim")
    try:
        with prefect_api(root) as wait_for_api:
            flow = _flow(console, width, root, entrypoint)
            wait_for_api()
            return 0, flow(**arguments)
    except KeyboardInterrupt:
        print("cancelled; finished stages are kept, a started training goes on from its checkpoint", file=sys.stderr)
        return INTERRUPTED, None
    except FirthError as error:
        _show_failure(console, error)
        return 1, None


def _flow(console: Console, width: int, root: Path, entrypoint: str) -> Any:
    from prefect.flows import load_flow_from_entrypoint

    from firth.pipeline import terminal

    terminal.listen(console, width, log_file(root))
    return load_flow_from_entrypoint(f"{root / entrypoint}")


def _show_failure(console: Console, error: FirthError) -> None:
    from firth.pipeline import terminal
    from firth.pipeline.finish import RunFailedError

    if isinstance(error, RunFailedError):
        terminal.show_stages(console, [vars(outcome) for outcome in error.outcomes.values()])
    print(f"error: {error}", file=sys.stderr)


def _show(summary: dict[str, Any], clock: Clock) -> None:
    from firth.pipeline import terminal

    console = Console()
    console.print()
    terminal.show_stages(console, summary["outcomes"])
    console.print()
    terminal.show_scores(console, summary["scores"], summary["decisions"])
    idle = all(outcome["state"] == "up to date" for outcome in summary["outcomes"])
    console.print(f"\n{'every stage is up to date' if idle else 'done'} ({duration(clock.seconds)})", highlight=False)
    if summary["experiment"] and not summary["applied"]:
        console.print(
            f"this folder is as it was; to bring the run here: dvc exp apply {summary['run']}", highlight=False
        )
    if summary["report"]:
        print(f"report: {summary['report']}")
    print("\nnext:")
    for command, why in (*_champions(summary["decisions"]), *NEXT):
        print(f"  {command:<42} {why}")


def _champions(decisions: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What can be asked of a champion, where there is one."""
    for each in decisions:
        if each["champion"] is not None:
            return [(f"firth lineage {each['name']}@champion", "where it comes from, down to the bytes of the corpora")]
    return []
