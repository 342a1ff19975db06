"""`firth gc`: what finished runs left behind — worktrees, checkpoints, cells, and on request experiments."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from firth.canonical import read_json
from firth.errors import IntegrityError
from firth.pipeline import worktree
from firth.pipeline.git import git
from firth.project import state_folder

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Removed:
    """One thing that was (or would be) removed, with the bytes that it held alone."""

    kind: str
    name: str
    bytes: int


def collect(root: Path, days: int = 7, experiments: bool = False, dry_run: bool = False) -> list[Removed]:
    """Remove what no run needs any more from the clone at `root` and say what was freed.

    Worktrees of runs that still live stay. Checkpoints of trainings whose vectors lie in `data/` stay, so that more
    epochs can go on from them, and so do others younger than `days`; kept trainings of evaluations ("cells") go once
    they were not used for so long. With `experiments`, saved experiments whose
    worktree is gone are removed too: their outputs leave the cache with the next `dvc gc`.
    """
    removed = [*_worktrees(root, dry_run), *_checkpoints(root, days, dry_run), *_cells(root, days, dry_run)]
    if experiments:
        removed += _experiments(root, dry_run)
    for each in removed:
        size = f"  {each.bytes / 1e6:,.1f} MB" if each.bytes else ""
        print(f"{'would remove' if dry_run else 'removed'} {each.kind} {each.name}{size}")
    total = sum(each.bytes for each in removed)
    print(f"{'would free' if dry_run else 'freed'} {total / 1e6:,.1f} MB" if removed else "nothing to remove")
    return removed


def _worktrees(root: Path, dry_run: bool) -> list[Removed]:
    found = []
    for place in sorted(path for path in worktree.folder(root).glob("*") if path.is_dir()):
        lock = worktree.running(root, place.name)
        try:
            with lock.acquire(timeout=0):
                found.append(Removed("worktree", place.name, _bytes(place)))
                if not dry_run:
                    worktree.remove(root, place.name)
        except Timeout:
            print(f"kept worktree {place.name}: its run is at work")
    return found


def _checkpoints(root: Path, days: int, dry_run: bool) -> list[Removed]:
    needed = {_fingerprint(path) for path in (root / "data" / "vectors").glob("*/training.json")}
    found = []
    for folder in sorted((state_folder(root) / "runs").glob("*/*")):
        if not folder.is_dir() or folder.name in needed or _age(folder) < days * DAY_SECONDS:
            continue
        found.append(Removed("checkpoints", f"{folder.parent.name}/{folder.name[:12]}", _bytes(folder)))
        if not dry_run:
            shutil.rmtree(folder)
    return found


def _cells(root: Path, days: int, dry_run: bool) -> list[Removed]:
    """All that are too old as one entry: an evaluation on a grid leaves hundreds."""
    now = time.time()
    old = [
        place
        for place in sorted((state_folder(root) / "cells").glob("*/"))
        if now - place.stat().st_mtime >= days * DAY_SECONDS
    ]
    if not old:
        return []
    found = Removed("cells", f"of {len(old)} trainings of evaluations", sum(map(_bytes, old)))
    if not dry_run:
        for place in old:
            shutil.rmtree(place)
    return [found]


def _experiments(root: Path, dry_run: bool) -> list[Removed]:
    listing = git(root, "for-each-ref", "--format=%(refname)", "refs/exps").decode().split()
    found = []
    for reference in listing:
        name = reference.rpartition("/")[2]
        if reference.startswith(("refs/exps/exec/", "refs/exps/stash", "refs/exps/celery")):
            continue
        if worktree.path_of(root, name).exists():
            continue
        found.append(Removed("experiment", name, 0))
        if not dry_run:
            git(root, "update-ref", "-d", reference)
    return found


def _fingerprint(training: Path) -> str:
    try:
        return str(read_json(training).get("fingerprint", ""))
    except IntegrityError:
        return ""


def _age(folder: Path) -> float:
    """Seconds since anything below `folder` was written."""
    newest = max((path.stat().st_mtime for path in _files(folder)), default=folder.stat().st_mtime)
    return time.time() - newest


def _bytes(folder: Path) -> int:
    """Bytes that go with `folder`: a file that the cache holds too (a hard link) frees nothing."""
    return sum(about.st_size for about in (path.lstat() for path in _files(folder)) if about.st_nlink == 1)


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
