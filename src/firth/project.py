"""Where things are: the project folder a process works in, and the clone's private state beside it.

A stage works in the current folder (a clone, or a flow run's git worktree). What must outlive a worktree —
checkpoints, the MLflow store, Prefect's database — lies in the clone's `.firth`; a flow run passes that folder on in
`FIRTH_STATE`.
"""

from __future__ import annotations

import os
from pathlib import Path

from firth.errors import FirthError

STATE_VARIABLE = "FIRTH_STATE"


def find_root(start: Path | None = None) -> Path:
    """The nearest folder, from `start` (default: here) upwards, that holds `dvc.yaml` and `params.yaml`."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            return folder
    raise FirthError(f"{here}: not in a Firth project (no dvc.yaml and params.yaml here or in a folder above)")


def from_root(path: str, root: Path) -> str:
    """`path`, as seen from the current folder, as parameters hold it: relative to `root` where it lies inside."""
    place = Path(os.path.normpath(Path.cwd() / Path(path).expanduser()))
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else str(place)


def state_folder(root: Path | None = None) -> Path:
    """The clone's `.firth` folder, created if missing; `FIRTH_STATE` names it inside a flow run's worktree."""
    named = os.environ.get(STATE_VARIABLE)
    folder = Path(named) if named else (root or find_root()) / ".firth"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def kept_folder(name: str) -> Path:
    """Where results that cost much are kept: `.firth/NAME`; outside of a project `firth/NAME` of the user's cache."""
    try:
        return state_folder() / name
    except FirthError:
        cache = os.environ.get("XDG_CACHE_HOME")
        return (Path(cache) if cache else Path.home() / ".cache") / "firth" / name


def run_folder(stage: str, fingerprint: str, root: Path | None = None) -> Path:
    """`.firth/runs/<stage>/<fingerprint>`: checkpoints and the metrics log of one training, outside DVC's outputs.

    DVC deletes outputs before a stage runs, so that a checkpoint inside one would never be resumed from.
    """
    folder = state_folder(root) / "runs" / stage.replace("@", "-") / fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def find_folder(name: str) -> Path:
    """Folder `name`: absolute, in the current folder, or in the clone (a flow run's worktree holds what Git tracks)."""
    given = Path(name).expanduser()
    for place in (Path.cwd(), state_folder().parent):
        if (place / given).is_dir():
            return place / given
    raise FirthError(f"{name}: no such folder (a relative path is one below the project folder)")
