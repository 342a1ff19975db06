"""A Git worktree per run: the clone's sources as they are now, with the run's parameters, apart from the clone.

Stages run there and import its `src`. DVC's cache, with its record of earlier runs, is the clone's; checkpoints, wheels
and the MLflow store stay in the clone's `.firth`, to which `FIRTH_STATE` points.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from firth.config.corpora import FileSource
from firth.config.tasks import LocalFile
from firth.errors import FirthError
from firth.pipeline.git import clean_environment, git
from firth.pipeline.graph import Project
from firth.pipeline.snapshot import Snapshot
from firth.project import STATE_VARIABLE, state_folder

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from firth.config import Params

FLOW_RUN_VARIABLE = "FIRTH_FLOW_RUN_ID"
"""The Prefect flow run's id, for the MLflow runs of its trainings."""

NO_HOOKS = ("-c", "core.hooksPath=/dev/null")


def folder(root: Path) -> Path:
    """Where the worktrees of the clone at `root` lie."""
    return state_folder(root) / "worktrees"


def path_of(root: Path, run: str) -> Path:
    """The worktree of `run`, existing or not."""
    return folder(root) / run


@contextmanager
def mutex(root: Path) -> Iterator[None]:
    """Held while the list of worktrees or the experiments' references change: two runs may do so at once."""
    from filelock import FileLock

    folder(root).mkdir(parents=True, exist_ok=True)
    with FileLock(folder(root) / ".mutex"):
        yield


def running(root: Path, run: str) -> BaseFileLock:
    """The lock that a run holds on its worktree while its process lives, however that ends."""
    from filelock import FileLock

    folder(root).mkdir(parents=True, exist_ok=True)
    return FileLock(folder(root) / f"{run}.lock")


def create(root: Path, run: str, snapshot: Snapshot, params_text: str, params: Params) -> Path:
    """Make the worktree of `run` from `snapshot`, with `params_text` as its params.yaml and outputs from the cache."""
    place = path_of(root, run)
    if place.exists():
        raise FirthError(f"run {run!r} has a worktree already: {place}")
    with mutex(root):
        git(root, *NO_HOOKS, "worktree", "add", "--quiet", "--detach", "--no-checkout", str(place), snapshot.commit)
    git(place, *NO_HOOKS, "read-tree", "--reset", "-u", snapshot.tree)
    (place / "params.yaml").write_text(params_text, encoding="utf-8")
    _link_inputs(root, place, snapshot, params)
    _configure_dvc(root, place)
    with Project(place) as project:
        project.checkout()
    return place


def remove(root: Path, run: str) -> None:
    """Remove the worktree of `run` and what Git knows of it; its outputs stay in the clone's cache."""
    place = path_of(root, run)
    with mutex(root):
        if place.exists():
            shutil.rmtree(place)
        git(root, "worktree", "prune")
    (folder(root) / f"{run}.lock").unlink(missing_ok=True)


def environment(root: Path, flow_run: str | None = None) -> dict[str, str]:
    """The environment of a stage of a run: this virtual environment first on PATH, state in the clone's `.firth`."""
    own = clean_environment()
    binaries = str(Path(sys.executable).parent)
    own["PATH"] = os.pathsep.join([binaries, own.get("PATH", os.defpath)])
    own[STATE_VARIABLE] = str(state_folder(root))
    own |= {"PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
    own.pop("PYTHONPATH", None)
    if flow_run:
        own[FLOW_RUN_VARIABLE] = flow_run
    return own


def _configure_dvc(root: Path, place: Path) -> None:
    """A worktree's own `.dvc/config.local`: the clone's, with the clone's cache and links instead of copies."""
    from dvc.config import Config

    with Project(root) as clone:
        cache = clone.cache_folder
    local = Config(str(root / ".dvc")).load_one("local")
    with Config(str(place / ".dvc"), validate=False).edit("local") as config:
        config.update(local)
        config["cache"].update({"dir": str(cache), "type": ["reflink", "hardlink", "copy"]})
        config["core"].update({"analytics": False, "check_update": False, "autostage": False})
        config["core"]["site_cache_dir"] = str(place / ".dvc" / "tmp" / "site")


def _named_files(params: Params) -> list[str]:
    """Files of one's own and globs that the parameters name, relative ones from the project folder."""
    corpora = [corpus.paths for corpus in params.corpora.values() if isinstance(corpus, FileSource)]
    sides = [side for task in params.tasks.values() for side in (task.train, task.dev)]
    examples = [side.path for side in sides if isinstance(side, LocalFile)]
    models = [f"{folder.rstrip('/')}/*" for folder in (params.wordpiece.base, params.bert.init) if folder]
    return [*(pattern for paths in corpora for pattern in paths), *examples, *models]


def _link_inputs(root: Path, place: Path, snapshot: Snapshot, params: Params) -> None:
    """Link what stages read but Git does not carry: large untracked files, and what `params` names below the clone."""
    names = {name for name, _bytes, _time in snapshot.large}
    for pattern in _named_files(params):
        if not Path(pattern).is_absolute():
            names |= {path.relative_to(root).as_posix() for path in root.glob(pattern) if path.is_file()}
    for name in sorted(names):
        target = place / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(root / name)
