"""Calls of `firth predict` in a test, and the answers that it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from firth.cli import app


def predict(*arguments: Any) -> Result:
    command = ["predict", *(str(argument) for argument in arguments), "--threads", "1"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
