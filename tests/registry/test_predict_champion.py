"""`firth predict` with models of the registry, by alias."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scored_project import ScoredProject
from typer.testing import CliRunner

from firth.cli import app
from firth.encode.load import load_model
from firth.encode.use import fill
from firth.registry.promote import promote_all


@pytest.mark.slow
def test_the_champion_answers_a_file(project: ScoredProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.pretrain(1)
    promote_all(project.root, ["bert"])
    monkeypatch.chdir(project.root)
    texts = ["the king of [MASK]", "[MASK] and the queen"]
    (tmp_path / "in.txt").write_text("\n".join(texts) + "\n")
    files = ["--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out.jsonl")]
    command = ["predict", "--model", "bert@champion", "--task", "fill", "-n", "2", *files]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    said = [json.loads(line)["fillings"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    answers = fill(load_model(project.root / "data" / "models" / "bert"), texts, 2)
    assert said == [[[piece for piece, _ in mask] for mask in masks] for masks in answers]
