"""A small project as the stages before `report` leave it, with hostile text where text can come from outside."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file
from tests.support.bert_project import write_bert_project

from firth.canonical import write_json
from firth.config import load_params
from firth.report.beside import beside
from firth.report.collect import collect, to_bytes
from firth.report.inputs import read_inputs, read_task
from firth.report.page import render
from firth.report.tasks import task

HOSTILE = "<script>alert('corpus')</script> & “quotes” </style>"
REPOSITORY = Path(__file__).resolve().parents[2]

CIRCLES = {
    "animals": ["dog", "cat", "horse", "wolf", "puppy"],
    "letters": ["book", "novel", "poem", "page", "author"],
    "sports": ["game", "team", "match", "player", "league"],
    "water": ["boat", "ship", "river", "sea", "harbour"],
    "metals": ["gold", "silver", "bronze", "copper", "iron"],
    "sides": ["good", "bad", "hot", "cold", "north", "south"],
    "places": ["france", "paris", "germany", "berlin", "italy", "rome"],
    "changes": ["buy", "sell", "purchase", "begin", "end", "start", "easy", "difficult", "simple"],
    "people": ["man", "woman", "king", "queen", "boy", "girl"],
}
FUNCTION_WORDS = ["the", "of", "and", "x1", "42"]


def vectors(seed: int) -> tuple[list[str], np.ndarray]:
    """Words of one circle near each other, opposites nearest; capitals and women at a fixed step from their pair."""
    generator = np.random.default_rng(seed)
    words = FUNCTION_WORDS + [word for circle in CIRCLES.values() for word in circle]
    rows = {word: generator.normal(size=24) for word in FUNCTION_WORDS}
    for circle in CIRCLES.values():
        centre = generator.normal(size=24)
        rows |= {word: centre + 0.5 * generator.normal(size=24) for word in circle}
    for first, second in (("good", "bad"), ("hot", "cold"), ("north", "south")):
        rows[second] = rows[first] + 0.1 * generator.normal(size=24)
    for pairs in (
        (("france", "paris"), ("germany", "berlin"), ("italy", "rome")),
        (("man", "woman"), ("king", "queen")),
    ):
        step = generator.normal(size=24)
        for first, second in pairs:
            rows[second] = rows[first] + step + 0.05 * generator.normal(size=24)
    return words, np.array([rows[word] for word in words], dtype=np.float32)


def write_model(root: Path, name: str, seed: int, heldout: bool = True) -> None:
    """`data/vectors/<name>` and its predictions."""
    folder = root / "data" / "vectors" / name
    folder.mkdir(parents=True)
    words, matrix = vectors(seed)
    save_file({"input": matrix, "output": matrix}, folder / "vectors.safetensors")
    counts = [50_000, 40_000, 30_000, *range(2000, 2000 - len(words) + 3, -1)]
    listed = "".join(f"{word}\t{count}\n" for word, count in zip(words, counts, strict=True))
    (folder / "vocabulary.tsv").write_text(listed, encoding="utf-8")
    history: list[dict[str, Any]] = []
    for block in range(1, 401):
        row: dict[str, Any] = {"step": block * 1000, "words": 1000, "learning_rate": 0.025, "loss": 2 + 1 / block}
        if heldout and block % 100 == 0:
            row["heldout_loss"] = 2.2 + 1 / block
        history.append(row)
    write_json(folder / "history.json", history)
    training = {
        "stage": f"word2vec@{name}",
        "model": name,
        "fingerprint": "f" * 64,
        "params": {"dim": 24, "window": 5, "skipgram": {"epochs": 4}},
        "vocabulary_sha256": "a" * 64,
        "words": 100_000,
        "epochs": 4,
        "firth_version": "0.1.0",
    }
    write_json(folder / "training.json", training)
    answers = [
        ("capital-world", "Paris", "France", "Berlin", "Germany", "germany"),
        ("capital-world", "Paris", "France", "Rome", "Italy", "spain"),
        ("family", "man", "woman", "king", "queen", "queen"),
        ("family", "boy", "girl", "uncle", "aunt", None),
    ]
    keys = ("section", "a", "b", "c", "expected", "predicted")
    lines = [json.dumps({"suite": "analogies", **dict(zip(keys, answer, strict=True))}) for answer in answers]
    lines.append(json.dumps({"suite": "wordsim353", "words": ["dog", "cat"], "human": 7.0, "cosine": 0.5}))
    (root / "data" / "tasks" / "words").mkdir(parents=True, exist_ok=True)
    (root / "data" / "tasks" / "words" / f"predictions-{name}.jsonl").write_text("\n".join(lines) + "\n")


def scores() -> dict[str, Any]:
    """What `word-tasks` writes of one model."""
    return {
        "analogies": {
            "score": 0.666667,
            "low": 0.1,
            "high": 0.9,
            "covered": 3,
            "total": 4,
            "sections": {
                "capital-world": {"correct": 1, "covered": 2, "total": 2},
                "family": {"correct": 1, "covered": 1, "total": 2},
                "gram3-comparative": {"correct": 0, "covered": 0, "total": 1332},
            },
        },
        "wordsim353": {"score": -0.05, "low": -0.2, "high": 0.11, "covered": 30, "total": 353},
        "simlex999": {"score": None, "low": None, "high": None, "covered": 1, "total": 999},
    }


def write_project(root: Path, models: Mapping[str, int], heldout: bool = True, reference: bool = False) -> Path:
    """A project folder with `params.yaml`, `dvc.yaml` and all that the report reads."""
    data = root / "data"
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(REPOSITORY / name, root / name)
    for name, seed in models.items():
        write_model(root, name, seed, heldout)
    write_json(
        data / "tasks" / "words" / "results.json",
        {"digests": {"analogies": "b" * 64}, "models": {name: scores() for name in models}},
    )
    shard = {"file": "train/shard-00000.parquet", "documents": 90, "words": 99_000, "bytes": 1, "sha256": "c" * 64}
    write_json(data / "corpus" / "manifest.json", {"shards": [shard], "documents": 90, "words": 99_000})
    read = [{"reason": "reserved for evaluation", "documents": 11, "example": HOSTILE}]
    write_json(data / "raw" / "boolq" / "manifest.json", {"corpus": "boolq", "shards": [], "drops": read})
    kept = {"documents": 90, "words": 99_000, "train": 88, "heldout": 2}
    drops = [
        {"reason": "exact duplicate", "source": "news", "documents": 7, "words": 700, "example": HOSTILE},
        {"reason": "too short", "source": "boolq", "documents": 1, "words": 2, "example": None},
    ]
    write_json(data / "corpus" / "drops.json", {"table": drops, "kept": {"wikipedia": kept, "boolq": kept}})
    for corpus, success in (("wikipedia", True), ("news", False)):
        expectation = {
            "name": "mostly_letters",
            "column": "letter_share",
            "expected": "at least 60 %",
            "observed": 0.5 if not success else 0.97,
            "success": success,
            "examples": [] if success else [{"doc_id": "news-1", "text": HOSTILE}],
        }
        folder = data / "validation" / corpus
        write_json(folder / "results.json", {"corpus": corpus, "success": success, "expectations": [expectation]})
    (data / "validation" / "wikipedia" / "docs").mkdir()
    (data / "validation" / "wikipedia" / "docs" / "index.html").write_text("<!doctype html>")
    write_bert_project(root, HOSTILE, reference)
    return root


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All models and a reference encoder; read only."""
    return write_project(tmp_path_factory.mktemp("project"), {"skipgram": 1, "cbow": 2}, reference=True)


@pytest.fixture(scope="session")
def tasks_page(project: Path) -> Callable[[Path], str]:
    """Draws the page with the tasks of another folder, of which it reads nothing else."""
    params = load_params(project / "params.yaml")
    whole = collect(read_inputs(project / "data", list(params.tasks)), params)

    def _page(root: Path) -> str:
        entries = load_params(root / "params.yaml").tasks
        runs = [read_task(root / "data", name) for name in entries]
        changed = {"tasks": [task(run, entries[run.name]) for run in runs], "published": beside(runs, entries)}
        return render(json.loads(to_bytes(whole | changed)), data="..")

    return _page


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A folder with parameters without any task, for those of official sets."""
    tree = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree | {"tasks": {}}), encoding="utf-8")
    return tmp_path


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """Builds a project that a test may spoil."""

    def _build(models: Mapping[str, int] | None = None, heldout: bool = True) -> Path:
        return write_project(tmp_path, {"skipgram": 1} if models is None else models, heldout)

    return _build
