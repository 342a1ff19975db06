"""The stage `validate`, run as dvc.yaml runs it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from firth.canonical import write_json
from firth.config.load import preset_text, with_overrides
from firth.shards import RAW_SCHEMA, write_shards

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).resolve().parents[2] / "src"


def stage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    environment.pop("FIRTH_STATE", None)
    return subprocess.run(
        [sys.executable, "-m", "firth.stages.validate", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def project(folder: Path, ending: str = "") -> None:
    draw = random.Random(1)
    words = ["river", "village", "history", "music", "winter", "teacher", "garden", "kitchen", "language", "public"]
    documents = [
        {
            "doc_id": f"boolq-{n}",
            "source": "boolq",
            "title": "",
            "text": " ".join(draw.choice(words) for _ in range(50)) + ending,
        }
        for n in range(60)
    ]
    shards = write_shards(((one, 50) for one in documents), folder / "data/raw/boolq", RAW_SCHEMA, 5000)
    write_json(folder / "data/raw/boolq/manifest.json", {"shards": shards})
    text, _ = with_overrides(preset_text("demo"), ["validation.min_words=1000", "validation.sample=20"])
    (folder / "params.yaml").write_text(text, encoding="utf-8")


def test_a_good_corpus_is_written_and_an_earlier_refusal_goes(tmp_path: Path) -> None:
    project(tmp_path, ending=" &nbsp;")
    refused = stage(tmp_path, "boolq")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "error: corpus boolq fails 1 of 14 expectations" in refused.stderr
    assert "documents without markup (markup_signs): expected none, in at least 90% of documents" in refused.stderr
    assert "boolq-" in refused.stderr.split("documents without markup")[1]
    shown = tmp_path / ".firth/validation/boolq"
    assert "Data Docs: .firth/validation/boolq/docs/index.html" in refused.stderr
    assert (shown / "docs/index.html").is_file()
    assert json.loads((shown / "results.json").read_text())["success"] is False
    assert not (tmp_path / "data/validation").exists()

    project(tmp_path)
    done = stage(tmp_path, "boolq")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "data/validation/boolq/results.json").read_text())["success"] is True
    assert not shown.exists()
    assert "%|" not in done.stderr  # Great Expectations draws no progress bars
    assert not (tmp_path / "gx").exists()


def test_an_unknown_corpus_is_refused_by_name(tmp_path: Path) -> None:
    project(tmp_path)
    for arguments in (["nothing"], [], ["boolq", "news"]):
        refused = stage(tmp_path, *arguments)
        assert refused.returncode == 1
        assert refused.stderr.strip() == "error: name one corpus: wikipedia, boolq, news"
