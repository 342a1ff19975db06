"""What the clone holds right now, as one Git tree, without touching its index or its work tree.

A copy of the index takes in the clone's modifications, deletions and untracked files and is written as a tree. Two
snapshots are equal exactly if the sources are; DVC's outputs are ignored by Git and do not count.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firth.pipeline.git import git, head

LARGE_BYTES = 20_000_000
"""An untracked file above this is linked into a worktree, not copied into Git's object store."""


@dataclass(frozen=True)
class Snapshot:
    """A clone's sources at one moment: the commit, the tree with its uncommitted changes, large untracked files."""

    commit: str
    tree: str
    large: tuple[tuple[str, int, int], ...]  # (path, bytes, modification time in ns)

    @property
    def dirty_tree(self) -> str:
        """The tree's short name, as shown to people."""
        return self.tree[:12]


def take(root: Path) -> Snapshot:
    """Snapshot of the clone at `root`: tracked and untracked files, without those that Git ignores."""
    commit = head(root)
    small, large = _untracked(root)
    with tempfile.TemporaryDirectory(prefix="firth-index-") as folder:
        index = Path(folder) / "index"
        own = Path(git(root, "rev-parse", "--path-format=absolute", "--git-path", "index").decode().rstrip("\n"))
        if own.exists():
            shutil.copyfile(own, index)
        where = {"GIT_INDEX_FILE": str(index)}
        git(root, "add", "--update", "--", ".", environment=where)
        if small:
            git(root, "update-index", "--add", "-z", "--stdin", stdin=_zeros(small), environment=where)
        tree = git(root, "write-tree", environment=where).decode().strip()
    return Snapshot(commit, tree, tuple(large))


def tree_of_work(worktree: Path) -> str:
    """Stage everything in a run's own worktree, and the tree it makes."""
    small, _ = _untracked(worktree)
    git(worktree, "add", "--update", "--", ".")
    if small:
        git(worktree, "update-index", "--add", "-z", "--stdin", stdin=_zeros(small))
    return git(worktree, "write-tree").decode().strip()


def _untracked(root: Path) -> tuple[list[str], list[tuple[str, int, int]]]:
    listing = git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", ".", ":(exclude).firth")
    small: list[str] = []
    large: list[tuple[str, int, int]] = []
    for raw in sorted(filter(None, listing.split(b"\0"))):
        name = os.fsdecode(raw)
        if name.endswith("/"):  # another repository inside this one is not ours to copy
            continue
        path = root / name
        about = path.lstat()
        if path.is_symlink() or about.st_size <= LARGE_BYTES:
            if not (path.is_symlink() and path.readlink().is_absolute()):
                small.append(name)
        else:
            large.append((name, about.st_size, about.st_mtime_ns))
    return small, large


def _zeros(names: list[str]) -> bytes:
    return b"\0".join(map(os.fsencode, names)) + b"\0"
