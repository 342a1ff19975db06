"""`demo`: made once a session by the README's first command, word for word; shared, and left as it was found.

Where a run may take only so long, `FIRTH_UNTIL` (seconds since 1970) says when the last of these tests may begin; the
others are skipped, by name.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.stranger import Clone, Demo, clone_into

UNTIL = "FIRTH_UNTIL"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what would begin too late."""
    until = os.environ.get(UNTIL)
    if until and time.time() > float(until):
        pytest.skip(f"{item.name}: no time is left for it ({UNTIL})")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("stranger") / "firth"
    clone = clone_into(folder)
    commit = clone.git("rev-parse", "HEAD").strip()
    output = clone.run("make", "demo", minutes=40)
    changed = clone.git("status", "--porcelain")
    if changed:  # another CPU family than the lock's: its hashes of floating-point stages become this clone's
        clone.git("commit", "--quiet", "--all", "--message", "the lock of this machine")
    yield Demo(clone, output, commit, changed)
    for process in clone.processes():
        process.kill()
    shutil.rmtree(folder.parent, ignore_errors=True)


@pytest.fixture
def second(demo: Demo, tmp_path: Path) -> Iterator[Clone]:
    """Another fresh clone, with nothing but the environment's programs in common with the first."""
    clone = clone_into(tmp_path / "second", demo.clone.programs)
    yield clone
    shutil.rmtree(clone.folder, ignore_errors=True)
