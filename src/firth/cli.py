"""The `firth` command. Groups live in `firth.commands`; heavy imports wait inside the command that needs them."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import firth
from firth.commands import (
    corpus,
    evaluate,
    init,
    models,
    models_in_use,
    predict,
    pretrain,
    project,
    score,
    study,
    submit,
    tasks,
    tokens,
    vectors,
)
from firth.errors import FirthError

app = typer.Typer(
    name="firth",
    help="Self-supervised word representations: from raw text to promoted vectors.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
project.add_to(app)
init.add_to(app)
study.add_to(app)
models.add_to(app)
tokens.add_to(app)
pretrain.add_to(app)
models_in_use.add_to(app)
evaluate.add_to(app)
predict.add_to(app)
score.add_to(app)
submit.add_to(app)
app.add_typer(corpus.app, name="corpus")
app.add_typer(tasks.app, name="task")
app.add_typer(vectors.app, name="vectors")


def _version(asked: bool) -> None:
    if asked:
        print(f"firth {firth.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Self-supervised word representations: from raw text to promoted vectors."""


def main() -> None:
    """Run the command line: what a person can mend is one line and exit code 1, a fault of ours a traceback."""
    for variable in ("DO_NOT_TRACK", "DVC_NO_ANALYTICS"):
        os.environ.setdefault(variable, "1")
    try:
        app()
    except FirthError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
