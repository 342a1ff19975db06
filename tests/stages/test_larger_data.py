"""The text stages and a training on larger real sets, where `FIRTH_DATA` points to them: wiki and books, packed."""

from __future__ import annotations

import bz2
import json
import lzma
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from firth.canonical import file_sha256
from firth.config.load import preset_text, with_overrides
from firth.corpus.sources.files import pin_files
from firth.vectors.vectors import Vectors

ROOT = Path(__file__).parents[2]
DATA = os.environ.get("FIRTH_DATA")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(DATA is None, reason="FIRTH_DATA is not set: no larger wiki and books files"),
]


def stage(folder: Path, name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"firth.stages.{name}", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project on the first 1,500 wiki articles and 12 books of the larger sets, packed as they come."""
    folder = tmp_path_factory.mktemp("larger")
    assert DATA is not None
    with bz2.open(Path(DATA) / "wiki" / "wiki-en-00.jsonl.bz2") as source, bz2.open(folder / "w.jsonl.bz2", "w") as out:
        out.writelines(islice(source, 1500))
    with lzma.open(Path(DATA) / "books" / "books-classics-00.jsonl.xz") as source:
        books = list(islice(source, 12))
    with lzma.open(folder / "b.jsonl.xz", "w") as out:
        out.writelines(books)
    corpora = {
        name: {
            **{"kind": "files", "paths": [file], "sha256": pin_files([file], folder), "format": "jsonl"},
            **{"title_field": "title", "licence": "see the set", "attribution": "see the set"},
        }
        for name, file in (("wiki", "w.jsonl.bz2"), ("books", "b.jsonl.xz"))
    }
    glue = Path(DATA) / "glue" / "SST-2"
    pinned = {
        side: {"kind": "files", "path": str(glue / f"{side}.tsv.xz"), "sha256": file_sha256(glue / f"{side}.tsv.xz")}
        for side in ("train", "dev")
    }
    fields = {"kind": "text", "format": "tsv", "text_field": "sentence", "label_field": "label", "published": "sst-2"}
    sst2 = {"title": "SST-2", "licence": "see the set", "attribution": "see the set"} | fields | pinned
    # twelve books are fewer documents than the demo demands
    overrides = [
        f"corpora={json.dumps(corpora)}",
        f"tasks={json.dumps({'sst-2': sst2})}",
        "bert.size=tiny",
        "bert.steps=40",
        "bert.optimizer.warmup_steps=4",
        "bert.heldout.instances=64",
        "validation.min_documents=10",
        "word2vec.dim=50",
        "word2vec.skipgram.epochs=2",
    ]
    text, _ = with_overrides(preset_text("demo"), overrides)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    for name in corpora:
        stage(folder, "ingest", name)
        stage(folder, "validate", name)
    stage(folder, "examples", "sst-2")
    stage(folder, "prepare")
    stage(folder, "words")
    return folder


def test_wiki_and_books_pass_and_become_sentences(project: Path) -> None:
    manifest = json.loads((project / "data" / "corpus" / "manifest.json").read_text())
    assert manifest["documents"] > 1450
    assert manifest["words"] > 1_500_000
    for name in ("wiki", "books"):
        assert json.loads((project / "data" / "validation" / name / "results.json").read_text())["success"]


def test_vectors_of_a_larger_text_know_their_neighbours(project: Path) -> None:
    stage(project, "word2vec", "skipgram")
    vectors = Vectors.load(project / "data" / "vectors" / "skipgram")
    assert vectors.similarity("king", "queen") > vectors.similarity("king", "water")
    assert {word for word, _ in vectors.most_similar("london", 40)} & {"paris", "york", "england", "oxford", "dublin"}


def test_official_examples_are_read_as_they_are_distributed(project: Path) -> None:
    manifest = json.loads((project / "data" / "examples" / "sst-2" / "manifest.json").read_text())
    assert manifest["available"]["dev"] == 872
    assert manifest["available"]["train"] > 65_000  # phrases that are dev sentences, too, are left out
    assert manifest["labels"] == ["0", "1"]


def test_a_small_bert_is_pretrained_on_a_larger_text(project: Path) -> None:
    learnt = stage(project, "wordpiece")
    assert "8000 pieces" in learnt
    stage(project, "tokenize")
    store = json.loads((project / "data" / "tokens" / "pieces" / "manifest.json").read_text())
    words = json.loads((project / "data" / "corpus" / "manifest.json").read_text())["train"]["words"]
    assert 1.1 < store["splits"]["train"]["tokens"] / words < 1.8
    stage(project, "bert")
    metrics = json.loads((project / "data" / "metrics" / "bert.json").read_text())
    assert metrics["heldout/mlm_loss"] < metrics["heldout/unigram_loss"] + 0.5
    history = json.loads((project / "data" / "models" / "bert" / "history.json").read_text())
    assert [row["step"] for row in history] == [10, 20, 30, 40]
