"""A folder with small models, in which commands are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from usage_examples import bert, trained, vectors

from firth.bert.folder import save
from firth.word2vec.matrix_files import save_matrices


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where two models lie, and no project."""
    found = vectors()
    save_matrices(tmp_path / "words", found.vocabulary, {"input": found.matrix})
    save(tmp_path / "own", bert())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a kept model of each kind, a BERT and word vectors."""
    folder = tmp_path_factory.mktemp("models")
    for kind in ("text", "pair", "choice", "number", "tagging", "span"):
        scored, kept = trained(folder / "made" / kind, kind, seeds=[1])
        kept.rename(folder / kind)
        (folder / f"{kind}.expected").write_text("".join(scored.prediction_lines("toy-finetuned")))
    found = vectors()
    save_matrices(folder / "words", found.vocabulary, {"input": found.matrix})
    save(folder / "plain", bert())
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path
