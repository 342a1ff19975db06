"""The end of a run: a DVC experiment that any clone can apply, and its results brought to this clone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from firth.errors import FirthError
from firth.pipeline.git import git, identity
from firth.pipeline.graph import Project
from firth.pipeline.snapshot import Snapshot, take, tree_of_work
from firth.pipeline.worktree import environment, mutex


def name_for(flow_run_name: str, flow_run_id: str) -> str:
    """A name that is new, and valid as a Git reference and as a folder: `crafty-otter-3f2a91`."""
    plain = re.sub(r"[^a-z0-9]+", "-", flow_run_name.lower()).strip("-") or "run"
    return f"{plain[:40].rstrip('-')}-{flow_run_id.replace('-', '')[-6:]}"


def save(root: Path, place: Path, run: str, stages: Sequence[str] = ()) -> str:
    """`dvc exp save` in the worktree: sources, parameters and dvc.lock as experiment `run` of the clone; its commit.

    DVC takes the outputs that lie there for those of the parameters that stand there. Of a run of some `stages` only,
    that is true of these alone: without their names others would be saved as up to date which are not.

    New files are staged first: an experiment takes in what Git knows.
    """
    tree_of_work(place)
    with mutex(root):
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "--wait-for-lock", "exp", "save", "--force", "--name", run, *stages],
            cwd=place,
            env=environment(root) | identity(place),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise FirthError(f"dvc exp save: {said[-1].removeprefix('ERROR: ') if said else 'failed'}")
    found = git(root, "for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{run}").decode().split()
    if len(found) != 1:
        raise FirthError(f"dvc exp save: experiment {run!r} has no reference in {root}")
    return found[0]


def bring_home(root: Path, place: Path, start: Snapshot, stages: Sequence[str]) -> bool:
    """Apply what a run changed (dvc.lock, DVC's .gitignore files) to the clone and check out the outputs of `stages`.

    False, and nothing done, where the clone is no longer what the run started from.
    """
    end = tree_of_work(place)
    if take(root) != start:
        return False
    if end != start.tree:
        patch = git(place, "diff", "--binary", "--no-ext-diff", "--no-textconv", start.tree, end)
        git(root, "apply", "--whitespace=nowarn", "-", stdin=patch)
    if stages:
        with Project(root) as clone:
            clone.checkout(stages, force=True)
    return True
