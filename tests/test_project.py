"""Where things are: the project above the current folder, the clone's state from inside a worktree."""

from pathlib import Path

import pytest

from firth.errors import FirthError
from firth.project import find_root, kept_folder, run_folder, state_folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("preset: demo\n")
    return tmp_path


def test_the_root_is_found_from_below(project: Path) -> None:
    below = project / "src" / "deep"
    below.mkdir(parents=True)
    assert find_root(below) == project.resolve()


def test_outside_a_project_the_error_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FirthError, match=r"no dvc\.yaml and params\.yaml"):
        find_root(tmp_path)


def test_a_worktree_keeps_its_state_in_the_clone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_folder(project) == (project / ".firth").resolve()
    clone = project / "clone" / ".firth"
    monkeypatch.setenv("FIRTH_STATE", str(clone))
    assert state_folder(project) == clone.resolve()
    assert run_folder("word2vec@cbow", "abc", project) == clone.resolve() / "runs" / "word2vec-cbow" / "abc"


def test_what_is_kept_lies_in_the_clone_or_the_user_s_cache(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert kept_folder("cells") == (project / ".firth" / "cells").resolve()
    outside = project.parent / "elsewhere"
    outside.mkdir(exist_ok=True)
    monkeypatch.chdir(outside)
    monkeypatch.setenv("XDG_CACHE_HOME", str(project / "cache"))
    assert kept_folder("cells") == project / "cache" / "firth" / "cells"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(project))
    assert kept_folder("cells") == project / ".cache" / "firth" / "cells"
