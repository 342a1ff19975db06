"""`firth gc` removes what nothing needs, and nothing else."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from firth.config import with_overrides
from firth.pipeline import experiment, gc, snapshot, worktree
from firth.pipeline.git import git

OLD = time.time() - 30 * 86_400


def make(root: Path, name: str) -> Path:
    text, params = with_overrides((root / "params.yaml").read_text(), ["word2vec.window=8"])
    return worktree.create(root, name, snapshot.take(root), text, params)


def checkpoint(root: Path, fingerprint: str, old: bool) -> Path:
    folder = root / ".firth" / "runs" / "word2vec-cbow" / fingerprint
    folder.mkdir(parents=True)
    (folder / "step-1.ckpt").write_bytes(b"0" * 1_500_000)
    if old:
        os.utime(folder / "step-1.ckpt", (OLD, OLD))
    return folder


def test_worktrees_of_ended_runs_go_and_those_at_work_stay(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended, running = make(built, "ended"), make(built, "running")
    with worktree.running(built, "running"):
        gc.collect(built, dry_run=True)
        assert ended.exists()
        assert "would remove worktree ended" in capsys.readouterr().out

        removed = gc.collect(built)

    assert [(each.kind, each.name) for each in removed] == [("worktree", "ended")]
    assert not ended.exists()
    assert running.exists()
    assert "kept worktree running: its run is at work" in capsys.readouterr().out
    assert b"worktrees/ended" not in git(built, "worktree", "list")


def test_checkpoints_of_present_vectors_and_young_ones_stay(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    present = checkpoint(built, "aa" * 32, old=True)
    young = checkpoint(built, "bb" * 32, old=False)
    old = checkpoint(built, "cc" * 32, old=True)
    training = built / "data" / "vectors" / "cbow" / "training.json"
    training.parent.mkdir(parents=True)
    training.write_text(json.dumps({"fingerprint": "aa" * 32}))

    gc.collect(built, days=7)
    assert (present.exists(), young.exists(), old.exists()) == (True, True, False)
    assert "removed checkpoints word2vec-cbow/cccccccccccc  1.5 MB\nfreed 1.5 MB" in capsys.readouterr().out

    gc.collect(built, days=0)
    assert (present.exists(), young.exists()) == (True, False)

    gc.collect(built)
    assert capsys.readouterr().out.endswith("nothing to remove\n")


def test_trainings_of_evaluations_go_when_they_were_not_used_for_long(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = built / ".firth" / "cells"
    for name, when in (("aa", OLD), ("bb", OLD), ("cc", time.time())):
        (cells / name).mkdir(parents=True)
        (cells / name / "dev.safetensors").write_bytes(b"0" * 500_000)
        os.utime(cells / name, (when, when))
    gc.collect(built, dry_run=True)
    assert "would remove cells of 2 trainings of evaluations  1.0 MB" in capsys.readouterr().out
    gc.collect(built)
    assert [place.name for place in cells.iterdir()] == ["cc"]
    assert "removed cells of 2 trainings of evaluations  1.0 MB" in capsys.readouterr().out


@pytest.mark.slow
def test_experiments_go_only_on_request_and_not_while_their_worktree_stands(built: Path) -> None:
    place = make(built, "toy-run")
    experiment.save(built, place, "toy-run")

    def saved() -> bytes:
        return git(built, "for-each-ref", "refs/exps/*/*/toy-run")

    with worktree.running(built, "toy-run"):
        gc.collect(built, experiments=True)
    assert saved()
    gc.collect(built)
    assert saved()
    gc.collect(built, experiments=True)
    assert not saved()
