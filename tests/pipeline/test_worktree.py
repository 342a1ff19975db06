"""A run's worktree: the clone as it is, uncommitted changes included, and the clone left alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.support.toy_project import dvc, replace, run, status

from firth.config import load_params, with_overrides
from firth.errors import FirthError
from firth.pipeline import snapshot, worktree
from firth.pipeline.git import GitError, git, identity
from firth.pipeline.graph import Project


def make(root: Path, name: str = "run-1", *overrides: str) -> Path:
    text, params = with_overrides((root / "params.yaml").read_text(), list(overrides))
    return worktree.create(root, name, snapshot.take(root), text, params)


def dirty(root: Path) -> None:
    """Every kind of uncommitted change."""
    replace(root / "src/train.py", "window / 10", "window / 100")  # modified
    (root / "staged.py").write_text("staged = 1\n")
    git(root, "add", "staged.py")
    (root / "staged.py").write_text("staged = 2\n")  # and modified again
    (root / "src/report.py").unlink()  # deleted
    git(root, "rm", "--cached", "--quiet", "src/raw.py")  # removed from the index only
    (root / "new folder").mkdir()
    (root / "new folder" / "naïve.bin").write_bytes(bytes(range(256)))  # untracked, binary, awkward name
    (root / "tool.sh").write_text("#!/bin/sh\n")
    (root / "tool.sh").chmod(0o755)
    (root / "link").symlink_to("params.yaml")
    (root / ".firth").mkdir(exist_ok=True)
    (root / ".firth" / "state").write_text("not part of it")  # ignored


def test_a_worktree_has_the_clones_uncommitted_changes_and_leaves_the_clone_alone(toy: Path) -> None:
    dirty(toy)
    before = git(toy, "status", "--porcelain")
    index = git(toy, "ls-files", "--stage")

    place = make(toy)

    assert git(toy, "status", "--porcelain") == before
    assert git(toy, "ls-files", "--stage") == index
    assert "window / 100" in (place / "src/train.py").read_text()
    assert (place / "staged.py").read_text() == "staged = 2\n"
    assert not (place / "src/report.py").exists()
    assert (place / "src/raw.py").exists(), "it lies in the clone, whatever its index says"
    assert (place / "new folder" / "naïve.bin").read_bytes() == bytes(range(256))
    assert os.access(place / "tool.sh", os.X_OK)
    assert (place / "link").readlink() == Path("params.yaml")
    assert not (place / ".firth").exists()
    assert git(place, "rev-parse", "HEAD") == git(toy, "rev-parse", "HEAD")


@pytest.mark.parametrize("change", ["src/raw.py", "new.py"])
def test_two_snapshots_are_equal_exactly_if_the_sources_are(toy: Path, change: str) -> None:
    dirty(toy)
    first = snapshot.take(toy)
    assert snapshot.take(toy) == first
    (toy / ".firth" / "more").write_text("ignored")
    assert snapshot.take(toy) == first
    with (toy / change).open("a") as file:
        file.write("# changed\n")
    assert snapshot.take(toy) != first


def test_a_detached_head_and_a_git_hook_do_not_matter(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(toy, "checkout", "--quiet", "--detach")
    hook = toy / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\ntouch hooked\nexit 1\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")

    place = make(toy)

    assert (place / "src/raw.py").exists()
    assert not (place / "hooked").exists()


def test_a_clone_without_a_commit_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(FirthError, match="not a Git repository; `git init`"):
        snapshot.take(tmp_path)
    run(tmp_path, "git", "init", "--quiet")
    with pytest.raises(FirthError, match="has no commit yet"):
        snapshot.take(tmp_path)
    (tmp_path / "below").mkdir()
    with pytest.raises(FirthError, match="top folder of its Git repository"):
        snapshot.take(tmp_path / "below")


def test_outputs_come_from_the_clones_cache_without_a_copy(built: Path) -> None:
    place = make(built)

    assert (place / "data/model/model.txt").read_text() == "window 5"
    assert (place / "data/model/model.txt").stat().st_nlink > 1
    with Project(place) as project:
        assert project.cache_folder == built / ".dvc/cache"
        assert project.stale(project.graph()) == set()
    assert git(place, "status", "--porcelain") == b"", "what a worktree needs of its own is ignored by Git"


def test_parameters_of_the_run_are_its_own(built: Path) -> None:
    place = make(built, "run-2", "word2vec.window=8")

    assert load_params(place / "params.yaml").word2vec.window == 8
    assert load_params(built / "params.yaml").word2vec.window == 5
    with Project(place) as project:
        assert project.stale(project.graph()) == {"train", "report"}


def test_two_runs_at_once_do_not_meet_and_a_name_is_used_once(built: Path) -> None:
    first, second = make(built, "one", "word2vec.window=8"), make(built, "two", "word2vec.window=9")
    assert first != second
    with pytest.raises(FirthError, match="'one' has a worktree already"):
        make(built, "one")

    worktree.remove(built, "one")
    assert not first.exists()
    assert second.exists()
    assert str(first).encode() not in git(built, "worktree", "list")
    worktree.remove(built, "two")
    assert status(built) == ""


def test_large_untracked_files_and_ignored_corpora_are_linked_not_copied(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "LARGE_BYTES", 10)
    (toy / "big.txt").write_text("more than ten bytes")
    (toy / ".gitignore").write_text("/.firth/\n/texts/\n")
    (toy / "texts").mkdir()
    (toy / "texts" / "a.txt").write_text("ignored by Git, named by params.yaml")
    corpus = (
        "{kind: files, licence: own, attribution: me, format: text, paths: [texts/*.txt], sha256: " + "ab" * 32 + "}"
    )
    first = snapshot.take(toy)

    place = make(toy, "run-3", f"corpora.boolq={corpus}")

    assert (place / "big.txt").readlink() == toy / "big.txt"
    assert (place / "texts" / "a.txt").read_text() == "ignored by Git, named by params.yaml"
    (toy / "big.txt").write_text("more than ten bytes, changed")
    assert snapshot.take(toy) != first


def test_own_examples_and_models_that_git_ignores_are_linked(toy: Path) -> None:
    (toy / ".gitignore").write_text("/.firth/\n/own/\n")
    for name in ("train.csv", "dev.csv", "start/config.json", "start/model.safetensors"):
        (toy / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (toy / "own" / name).write_text(name)
    side = "{kind: files, path: own/%s.csv, sha256: " + "ab" * 32 + "}"
    task = (
        f"train: {side % 'train'}, dev: {side % 'dev'}, kind: text, format: csv, title: t, licence: l, attribution: a"
    )
    changes = [f"tasks={{reports: {{{task}}}}}", "bert.init=own/start", f"bert.init_sha256={'cd' * 32}"]

    place = make(toy, "run-4", *changes)

    found = {path.relative_to(place / "own").as_posix(): path.readlink() for path in (place / "own").rglob("*.*")}
    assert found == {name: toy / "own" / name for name in found}
    assert set(found) == {"train.csv", "dev.csv", "start/config.json", "start/model.safetensors"}


def test_a_stage_finds_the_clones_state_and_this_environment_first(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    own = worktree.environment(toy, flow_run="abc")
    assert own["FIRTH_STATE"] == str(toy / ".firth")
    assert own["FIRTH_FLOW_RUN_ID"] == "abc"
    assert "PYTHONPATH" not in own
    found = subprocess.run(["which", "dvc"], env=own, capture_output=True, text=True, check=True).stdout
    assert found.strip() == str(Path(own["PATH"].split(os.pathsep)[0]) / "dvc")


def test_a_machine_without_a_git_identity_gets_one(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert identity(toy) == {}
    git(toy, "config", "--unset", "user.name")
    git(toy, "config", "--unset", "user.email")
    git(toy, "config", "user.useConfigOnly", "true")
    assert identity(toy)["GIT_COMMITTER_NAME"] == "Firth"


def test_gits_own_words_are_kept(toy: Path) -> None:
    with pytest.raises(GitError, match=r"git rev-parse in .*: fatal"):
        git(toy, "rev-parse", "no-such-branch")


def test_the_clones_local_dvc_settings_hold_in_the_worktree(built: Path) -> None:
    dvc(built, "remote", "add", "--local", "store", "elsewhere")
    place = make(built, "run-4")
    listed = dvc(place, "remote", "list")
    assert str(built / "elsewhere") in listed.split("store", 1)[1].replace("\n", "")  # long paths are wrapped
