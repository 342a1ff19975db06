"""The stage as DVC runs it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from firth.errors import DataError, FirthError, IntegrityError
from firth.stages.report import main


def builder() -> ModuleType:
    """The project builder of the report's own tests."""
    path = Path(__file__).resolve().parents[1] / "report" / "conftest.py"
    spec = importlib.util.spec_from_file_location("report_project", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(builder().write_project(tmp_path, {"skipgram": 1}))


@pytest.mark.slow
def test_writes_both_products_and_the_same_bytes_in_another_folder_and_process(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    main([])
    elsewhere = Path(builder().write_project(tmp_path_factory.mktemp("a-second-place"), {"skipgram": 1}))
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-m", "firth.stages.report"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "report: draw the page: done" in done.stderr
    for name in ("report.json", "index.html"):
        first, second = (folder / "data" / "report" / name for folder in (root, elsewhere))
        assert first.read_bytes() == second.read_bytes()
    assert json.loads((root / "data" / "report" / "report.json").read_bytes())["order"] == ["skipgram"]
    assert str(root).encode() not in (root / "data" / "report" / "index.html").read_bytes()


def test_missing_and_broken_inputs_are_named(root: Path) -> None:
    predictions = root / "data" / "tasks" / "words" / "predictions-skipgram.jsonl"
    kept = predictions.read_bytes()
    predictions.write_bytes(kept + b"{torn")
    with pytest.raises(DataError, match=r"predictions-skipgram\.jsonl, line 6: not a JSON line"):
        main([])
    predictions.write_bytes(kept)
    for path in ("corpus/drops.json", "vectors/skipgram/vectors.safetensors", "models/bert/history.json"):
        (root / "data" / path).unlink()
    shutil.rmtree(root / "data" / "tasks" / "boolq")
    with pytest.raises(IntegrityError) as raised:
        main([])
    named = str(raised.value)
    assert named.startswith("nothing to report on yet, missing: data/vectors/*/vectors.safetensors (stage word2vec), ")
    for said in (
        "corpus/drops.json (stage prepare)", "bert/history.json (stage bert)", "boolq/results.json (stage tasks@boolq)",
    ):  # fmt: skip
        assert said in named
    assert named.count("(stage") == 4
    assert not (root / "data" / "report").exists()


def test_arguments_are_refused(root: Path) -> None:
    with pytest.raises(FirthError, match="takes no arguments, found skipgram"):
        main(["skipgram"])
