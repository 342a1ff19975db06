"""Calls of `firth evaluate` in a test: what it prints, what it refuses, a file for it to read."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.support.usage_examples import draw
from typer.testing import CliRunner, Result

from firth.cli import app
from firth.errors import FirthError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", *arguments], env={"COLUMNS": "160"})


def said(*arguments: str) -> str:
    """The one line of an error."""
    result = run(*arguments)
    assert isinstance(result.exception, FirthError), (result.exception, result.output)
    return str(result.exception)


def write_texts(path: Path, shuffled: bool = False) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sentence", "verdict"])
        drawn = draw("text", 400, 1, shuffled)
        writer.writerows((f"{one['text']} ({number})", one["label"]) for number, one in enumerate(drawn))
    return path
