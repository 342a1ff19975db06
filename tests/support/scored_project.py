"""A small project as the stages leave it — git, dvc.lock, validation, models, scores — and an MLflow store for it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from firth.canonical import file_sha256, read_json, value_sha256, write_json
from firth.config import load_params, with_overrides
from firth.config.load import preset_text
from firth.tasks.examples.files import load as load_examples
from firth.tasks.examples.files import write as write_examples
from firth.tracking.store import create_tables_once
from firth.tracking.trained import output_of, weights_sha256

WORDS = ["the", "king", "queen", "man", "woman", "paris", "france", "london", "england", "cricket"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"abcdefghijklmnopqrstuvwxyz"]
DIGESTS = {suite: value_sha256(suite) for suite in ("analogies", "wordsim353", "simlex999")}
GOOD = {"analogies": 0.06, "wordsim353": 0.50, "simlex999": 0.20}
DVC = {
    "data/raw/news": "1" * 32 + ".dir",
    "data/validation/news": "2" * 32 + ".dir",
    "data/corpus": "3" * 32 + ".dir",
    "data/tokens/words": "4" * 32 + ".dir",
    "data/tokenizer": "5" * 32 + ".dir",
    "data/tokens/pieces": "6" * 32 + ".dir",
    "data/models/bert": "7" * 32 + ".dir",
}
TASK = "mood"
SETTINGS = [
    "tasks={mood: {kind: text, title: Moods, licence: CC0, attribution: tests, format: csv,"
    f" train: {{kind: files, path: mood.csv, sha256: '{'0' * 64}'}}}}}}",
    "evaluation.encoders=[skipgram, cbow, bert]",
    "evaluation.seeds=[1]",
    "evaluation.bootstrap=100",
    "evaluation.head.epochs=5",
    "gate.word2vec.confidence=null",
    "gate.bert.confidence=null",
]
"""The demo's parameters with one small task; scores are made up, without the answers that a confidence asks for."""


@cache
def _parameters() -> str:
    return with_overrides(preset_text("demo"), SETTINGS)[0]


class ScoredProject:
    """`root` is the project folder; `train` puts vectors and their scores there, as the stages would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "params.yaml").write_text(_parameters(), encoding="utf-8")
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
        self._lock()
        return fingerprint

    def pretrain(
        self, seed: int, gain: float | None = 0.5, heldout: str = "text", pieces: int = len(PIECES), init: str = ""
    ) -> str:
        """Write what `tokenize` and `bert` write, with a model of two layers of 16; the fingerprint.

        `heldout` stands for the text on the held-out side (there is none where `gain` is None); with fewer `pieces` the
        vocabulary is another one; `init` is the digest of the weights that it goes on from.
        """
        from firth.bert.architecture import Architecture
        from firth.bert.folder import Bert, save
        from firth.bert.model import Pretraining, initialise
        from firth.wordpiece.tokenizer import Tokenizer

        tokenizer = Tokenizer(PIECES[:pieces])
        files = {"train/shard-00000.ids": "t", "heldout/shard-00000.ids": heldout}
        manifest = {
            "tokenizer": {"sha256": tokenizer.sha256, "pieces": len(tokenizer)},
            "files": {name: {"bytes": 1, "sha256": value_sha256(text)} for name, text in files.items()},
        }
        write_json(self.root / "data" / "tokens" / "pieces" / "manifest.json", manifest)
        shape = Architecture(vocabulary=pieces, layers=2, hidden=16, heads=2, intermediate=32, positions=32)
        model = Pretraining(shape)
        initialise(model, seed)
        folder = self.root / output_of("bert")
        save(folder, Bert(model.eval(), tokenizer, {"pooler": "trained", "mlm": "trained", "nsp": "trained"}))
        fingerprint = value_sha256(["bert", seed, manifest])
        params = {
            "size": "tiny", "length": 32, "batch": 4, "steps": 20, "optimizer": {"learning_rate": 0.001},
            "masking": {"rate": 0.15, "whole_words": False}, "next_sentence": True, "short_sequences": 0.1,
            "heldout": {"every": 10, "instances": 64}, "seed": seed,
        }  # fmt: skip
        training = {"stage": "bert", "fingerprint": fingerprint, "params": params}
        inputs = {"data/tokens/pieces": value_sha256(manifest)} | ({"bert.init": init} if init else {})
        write_json(folder / "training.json", training | {"inputs": inputs, "steps": 20, "firth_version": "0.1.0"})
        rows = pretraining_history(gain)
        write_json(folder / "history.json", rows)
        look = {f"heldout/{name}": value for name, value in rows[-1].get("heldout", {}).items() if "_" in name}
        gained = {"heldout/mlm_gain": gain} if look else {}
        write_json(self.root / "data" / "metrics" / "bert.json", look | gained)
        self._lock()
        return fingerprint

    def examples(self, seed: int = 1) -> None:
        """Write what `examples@mood` writes: texts of the vocabulary's words, with two labels."""
        rng = np.random.default_rng(seed)

        def side(name: str, count: int) -> list[dict[str, Any]]:
            texts = [" ".join(rng.choice(WORDS, 4)) for _ in range(count)]
            return [
                {"id": f"{name}-{number}", "text": text, "label": ("bad", "good")[number % 2]}
                for number, text in enumerate(texts)
            ]

        manifest = {
            "task": TASK, "kind": "text", "title": "Moods", "licence": "CC0", "attribution": "tests",
            "metric": "accuracy", "published": "", "length": 16, "labels": ["bad", "good"],
        }  # fmt: skip
        write_examples(self.root / "data" / "examples" / TASK, {"train": side("t", 12), "dev": side("d", 10)}, manifest)

    def measure(self, **scores: float) -> None:
        """Write what `tasks@mood` writes: for each encoder named an accuracy, and answers with so many right."""
        dev = load_examples(self.root / "data" / "examples" / TASK).dev
        for model, score in scores.items():
            right = round(score * len(dev))
            other = {"bad": "good", "good": "bad"}
            records = [
                {"id": example["id"], "predicted": example["label"] if number < right else other[example["label"]]}
                for number, example in enumerate(dev)
            ]
            path = self.root / "data" / "tasks" / TASK / f"predictions-{model}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
        manifest = read_json(self.root / "data" / "examples" / TASK / "manifest.json")
        digests = {side: manifest["files"][f"{side}.jsonl"]["sha256"] for side in ("train", "dev")}
        systems = [
            {
                "system": model, "encoder": model, "mode": "frozen", "label": model, "score": score, "low": score - 0.1,
                "high": score + 0.1, "seeds": [score], "tie_with_majority": score < 0.6, "details": {},
            }
            for model, score in scores.items()
        ]  # fmt: skip
        write_json(
            self.root / "data" / "tasks" / TASK / "results.json",
            {
                "task": TASK, "kind": "text", "title": "Moods", "metric": "accuracy", "published": "",
                "examples": {"train": 12, "dev": 10}, "digests": digests,
                "settings": load_params(self.root / "params.yaml").evaluation.model_dump(mode="json"),
                "majority": {"score": 0.5, "what": "always bad"}, "systems": systems,
                "weights": {model: weights_sha256(self.root, model) for model in scores},
            },
        )  # fmt: skip

    def change(self, *overrides: str) -> None:
        """Set parameters in params.yaml."""
        path = self.root / "params.yaml"
        path.write_text(with_overrides(path.read_text(encoding="utf-8"), overrides)[0], encoding="utf-8")

    def _score(self, model: str, folder: Path, scores: dict[str, float], digests: dict[str, str]) -> None:
        path = self.root / "data" / "tasks" / "words" / "results.json"
        tree: dict[str, Any] = {"models": {}, "vectors": {}}
        if path.is_file():
            tree = read_json(path)
        tree["digests"] = DIGESTS | digests
        tree["settings"] = {"restrict_vocabulary": 30000, "bootstrap": 1000, "seed": 1}
        tree["vectors"][model] = file_sha256(folder / "vectors.safetensors")
        tree["models"][model] = {
            suite: {"score": score, "low": score - 0.01, "high": score + 0.01, "covered": 90, "total": 100}
            for suite, score in scores.items()
        }
        write_json(path, tree)

    def _lock(self) -> None:
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
        stages["wordpiece"] = stage(["data/tokenizer"], ["data/corpus"])
        stages["tokenize"] = stage(["data/tokens/pieces"], ["data/corpus", "data/tokenizer"])
        stages["bert"] = stage(["data/models/bert"], ["data/tokens/pieces"])
        stages["report"] = stage(["data/report"], ["data/corpus"])
        (self.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(self.root), *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()


def pretraining_history(gain: float | None) -> list[dict[str, Any]]:
    """Two rows, of which the last has a look at held-out text: `gain` nats below the frequencies' loss of 7."""
    row = {"tokens": 1280, "learning_rate": 0.001, "nsp_loss": 0.7}
    rows: list[dict[str, Any]] = [{"step": 10, "mlm_loss": 7.5, **row}, {"step": 20, "mlm_loss": 7.25, **row}]
    if gain is None:
        return rows
    rows[-1]["heldout"] = {
        "mlm_loss": 7.0 - gain, "mlm_accuracy": 0.125, "nsp_loss": 0.693, "nsp_accuracy": 0.53, "unigram_loss": 7.0,
        "predictions": 640, "instances": 64,
    }  # fmt: skip
    return rows


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
