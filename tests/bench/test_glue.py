"""What the benchmark of GLUE refuses before anything is read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import glue


@pytest.mark.parametrize("epochs", [0, 6])
def test_epochs_that_the_protocol_has_not_are_refused_as_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], epochs: int
) -> None:
    asked = ["--model", tmp_path / "none", "--data", tmp_path, "--json", tmp_path / "glue.json", "--epochs", epochs]
    monkeypatch.setattr(sys, "argv", ["glue", *map(str, asked)])
    with pytest.raises(SystemExit) as ended:
        glue.main()
    assert ended.value.code == 2
    assert (
        f"error: --epochs {epochs}: 1 to 5; to train longer, `firth evaluate --protocol paper`"
        in capsys.readouterr().err
    )
