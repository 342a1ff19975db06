"""`firth submit`: the files that GLUE's leaderboard takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command(rich_help_panel="Models in use")(submit)


def submit(
    models: Annotated[
        list[Path],
        typer.Option(
            help="Folder with a kept model for each set (`firth evaluate … --save MODELS/mrpc`): cola, sst-2, mrpc, "
            "sts-b, qqp, mnli (for both of its sets and the diagnostic one), qnli, rte, wnli. Again for further ones: "
            "a set's models answer together, by the mean of their outputs."
        ),
    ],
    data: Annotated[Path, typer.Option(help="GLUE as it is distributed, with the test files.")],
    to: Annotated[Path, typer.Option(help="Folder to write to.")],
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all that there are.")] = None,
) -> None:
    """Answer GLUE's test files with kept models, in the form that the leaderboard takes."""
    from firth.tasks.batch.submission import submit as answer

    done = answer(models, data, to, threads or len(os.sched_getaffinity(0)))
    for path in done.files.values():
        print(path)
    if done.zip is not None:
        print(f"{done.zip}: all {len(done.files)} files")
    else:
        print(
            f"no zip yet: the leaderboard takes all files at once, and there is no model for {', '.join(done.missing)}"
        )
