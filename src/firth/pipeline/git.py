"""The few Git commands a run needs, on a folder and never on whatever `GIT_DIR` points to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from firth.errors import FirthError

LEADING_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")
"""Set inside Git hooks; they would turn a command on the worktree into one on the clone."""

IDENTITY = {"NAME": "Firth", "EMAIL": "firth@localhost"}


class GitError(FirthError):
    """A Git command failed; the message is Git's own."""


def git(
    folder: Path, *arguments: str, stdin: bytes | None = None, environment: Mapping[str, str] | None = None
) -> bytes:
    """Standard output of `git ARGUMENTS` run in `folder`."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        check=False,
        env=clean_environment() | dict(environment or {}),
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise GitError(f"git {arguments[0]} in {folder}: {said}")
    return done.stdout


def clean_environment() -> dict[str, str]:
    """The process's environment without the variables by which Git is led to another repository."""
    return {key: value for key, value in os.environ.items() if key not in LEADING_VARIABLES}


def identity(folder: Path) -> dict[str, str]:
    """Author and committer for a machine on which Git has none: an experiment is a commit and needs both."""
    try:
        git(folder, "var", "GIT_COMMITTER_IDENT")
    except GitError:
        return {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in IDENTITY.items()}
    return {}


def head(root: Path) -> str:
    """The commit that the clone at `root` stands on; a clone without one is refused."""
    try:
        top = Path(git(root, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    except GitError:
        raise FirthError(f"{root}: not a Git repository; `git init` and commit the project first") from None
    if top.resolve() != root.resolve():
        raise FirthError(f"{root}: the project must be the top folder of its Git repository, which is {top}")
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
    except GitError:
        raise FirthError(
            f"{root}: this repository has no commit yet, and a run starts from one: `git add -A && git commit -m start`"
        ) from None
