"""A small project as the stages leave it — git, dvc.lock, validation, vectors, scores — and an MLflow store for it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from firth.canonical import file_sha256, value_sha256, write_json
from firth.config.load import preset_text
from firth.tracking.store import create_tables_once

WORDS = ["the", "king", "queen", "man", "woman", "paris", "france", "london", "england", "cricket"]
DIGESTS = {suite: value_sha256(suite) for suite in ("analogies", "wordsim353", "simlex999")}
GOOD = {"analogies": 0.06, "wordsim353": 0.50, "simlex999": 0.20}
DVC = {
    "data/raw/news": "1" * 32 + ".dir",
    "data/validation/news": "2" * 32 + ".dir",
    "data/corpus": "3" * 32 + ".dir",
    "data/tokens/words": "4" * 32 + ".dir",
}


class ScoredProject:
    """`root` is the project folder; `train` puts vectors and their scores there, as the stages would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
        (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
        (root / ".gitignore").write_text("/.firth/\n", encoding="utf-8")
        self.validated("news", True)
        self._git("init", "-q")
        self._git("add", ".")
        self._git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "-m", "start")

    def validated(self, corpus: str, success: bool) -> None:
        expectation = {"name": "enough words", "column": "words", "expected": 1, "observed": 2, "examples": []}
        write_json(
            self.root / "data" / "validation" / corpus / "results.json",
            {"corpus": corpus, "success": success, "expectations": [expectation | {"success": success}]},
        )

    def train(self, model: str, seed: int, scores: dict[str, float] | None = None, **digests: str) -> str:
        """Write what `word2vec@model` and `word-tasks` write; the fingerprint."""
        from safetensors.numpy import save_file

        folder = self.root / "data" / "vectors" / model
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        table = {name: rng.normal(size=(len(WORDS), 4)).astype(np.float32) for name in ("input", "output")}
        save_file(table, folder / "vectors.safetensors")
        (folder / "vocabulary.tsv").write_text("".join(f"{word}\t9\n" for word in WORDS), encoding="utf-8")
        fingerprint = value_sha256([model, seed])
        params = {"dim": 4, "window": 5, "seed": seed, "learning_rate": 0.025, "epochs": 2}
        training = {"stage": f"word2vec@{model}", "model": model, "fingerprint": fingerprint, "params": params}
        write_json(folder / "training.json", training | {"words": 200, "epochs": 2, "firth_version": "0.1.0"})
        write_json(folder / "history.json", history())
        self._score(model, folder, scores or GOOD, digests)
        self._lock(model)
        return fingerprint

    def _score(self, model: str, folder: Path, scores: dict[str, float], digests: dict[str, str]) -> None:
        path = self.root / "data" / "tasks" / "words" / "results.json"
        tree: dict[str, Any] = {"models": {}, "vectors": {}}
        if path.is_file():
            tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        tree["digests"] = DIGESTS | digests
        tree["settings"] = {"restrict_vocabulary": 30000, "bootstrap": 1000, "seed": 1}
        tree["vectors"][model] = file_sha256(folder / "vectors.safetensors")
        tree["models"][model] = {
            suite: {"score": score, "low": score - 0.01, "high": score + 0.01, "covered": 90, "total": 100}
            for suite, score in scores.items()
        }
        write_json(path, tree)

    def _lock(self, model: str) -> None:
        def stage(outs: list[str], deps: list[str]) -> dict[str, Any]:
            return {
                "cmd": "run",
                "deps": [{"path": path, "hash": "md5", "md5": DVC.get(path, "0" * 32)} for path in deps],
                "outs": [{"path": path, "hash": "md5", "md5": DVC.get(path, "9" * 32 + ".dir")} for path in outs],
            }

        stages = {
            "ingest@news": stage(["data/raw/news"], ["src/firth/corpus/sources"]),
            "validate@news": stage(["data/validation/news"], ["data/raw/news"]),
            "prepare": stage(["data/corpus"], ["data/raw", "data/validation"]),
            "words": stage(["data/tokens/words"], ["data/corpus"]),
        }
        for name in ("skipgram", "cbow"):
            stages[f"word2vec@{name}"] = stage([f"data/vectors/{name}"], ["data/tokens/words"])
        stages["report"] = stage(["data/report"], ["data/corpus"])
        (self.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(self.root), *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()


def history() -> list[dict[str, float]]:
    return [
        {"step": 100, "words": 100, "learning_rate": 0.025, "loss": 2.5, "heldout_loss": 2.6},
        {"step": 200, "words": 100, "learning_rate": 0.0125, "loss": 2.25, "heldout_loss": 2.5},
    ]


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables and no run; making the tables takes seconds, copying a file does not."""
    folder = tmp_path_factory.mktemp("mlflow")
    create_tables_once(folder / "mlflow.db")
    return folder


@pytest.fixture
def project(tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScoredProject]:
    """A project whose state holds an empty store; the process works in its folder."""
    made = ScoredProject(tmp_path / "project")
    shutil.copytree(mlflow_template, made.root / ".firth" / "mlflow")
    monkeypatch.chdir(made.root)
    for variable in ("FIRTH_STATE", "MLFLOW_TRACKING_URI", "FIRTH_FLOW_RUN_ID", "PREFECT__FLOW_RUN_ID"):
        monkeypatch.delenv(variable, raising=False)
    yield made
