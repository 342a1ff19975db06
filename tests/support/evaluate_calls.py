"""Calls of `firth evaluate` in a test: what it prints, what it refuses, a file for it to read."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests.support.usage_examples import draw
from typer.testing import CliRunner, Result

from firth.cli import app
from firth.config import usages
from firth.config.usages import BiLSTM, Evaluation
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


class Small(Evaluation):
    """The defaults, with a BiLSTM that is trained in a second."""

    bilstm: BiLSTM = BiLSTM(hidden=16, layers=1, epochs=5)


def small_bilstms(patch: pytest.MonkeyPatch) -> None:
    """`firth evaluate` outside of a project has them."""
    patch.setattr(usages, "Evaluation", Small)
