"""A folder with small models, in which commands are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from usage_examples import bert, vectors

from firth.bert.folder import save
from firth.word2vec.matrix_files import save_matrices


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where two models lie, and no project."""
    trained = vectors()
    save_matrices(tmp_path / "words", trained.vocabulary, {"input": trained.matrix})
    save(tmp_path / "own", bert())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path
