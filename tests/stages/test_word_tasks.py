"""The stage `word-tasks`, run as dvc.yaml runs it, on the real task files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from stage_process import run_stage

from firth.config.load import preset_text
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.matrix_files import save_matrices

FAMILY = [
    "boy", "girl", "brother", "sister", "brothers", "sisters", "dad", "mom", "father", "mother",
    "he", "she", "his", "her", "king", "queen", "man", "woman",
]  # fmt: skip


def train(folder: Path, model: str, seed: int) -> None:
    """Vectors in which the second word of each family pair lies at one offset from the first."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(len(FAMILY), 30)).astype(np.float32)
    offset = rng.normal(size=30).astype(np.float32)
    matrix[1::2] = matrix[::2] + offset
    counts = np.arange(len(FAMILY), 0, -1, dtype=np.int64)
    save_matrices(
        folder / "data" / "vectors" / model, Vocabulary(tuple(FAMILY), counts), {"input": matrix, "output": matrix}
    )


@pytest.mark.slow
@pytest.mark.registry
def test_models_are_scored_the_same_every_time(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    train(tmp_path, "skipgram", 1)
    train(tmp_path, "cbow", 2)
    stale = tmp_path / "data" / "tasks" / "words" / "predictions-glove.jsonl"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}\n")
    first = run_stage(tmp_path, "word_tasks")
    assert first.returncode == 0, first.stderr
    written = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*.json*")}
    assert sorted(path.name for path in written) == [
        "predictions-cbow.jsonl", "predictions-skipgram.jsonl", "results.json", "word-tasks.json",
    ]  # fmt: skip
    assert run_stage(tmp_path, "word_tasks").returncode == 0
    assert {path: path.read_bytes() for path in written} == written

    results = json.loads((tmp_path / "data" / "tasks" / "words" / "results.json").read_text())
    assert results["settings"] == {"restrict_vocabulary": 30000, "bootstrap": 1000, "seed": 1}
    for model in ("skipgram", "cbow"):
        analogies = results["models"][model]["analogies"]
        assert analogies["total"] == 19544
        assert analogies["sections"]["family"]["total"] == 506
        assert analogies["sections"]["family"]["covered"] == analogies["covered"] == 72
        assert analogies["low"] <= analogies["score"] <= analogies["high"]
        assert analogies["score"] > 0.9
        assert results["models"][model]["simlex999"]["total"] == 999
        metrics = json.loads((tmp_path / "data" / "metrics" / "word-tasks.json").read_text())[model]
        assert metrics["analogies/accuracy"] == analogies["score"]
        lines = (tmp_path / "data" / "tasks" / "words" / f"predictions-{model}.jsonl").read_text().splitlines()
        assert len(lines) == 19544 + 353 + 999
        answered = [row for row in map(json.loads, lines) if row.get("predicted")]
        assert len(answered) == 72
        assert {"a", "b", "c", "expected", "predicted", "section", "suite"} == set(answered[0])


def test_nothing_to_score_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    done = run_stage(tmp_path, "word_tasks")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: data/vectors: holds no folder with vectors.safetensors; run the word2vec stages first"
    ]
