"""A folder that appears complete or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(target: Path, part: Path) -> Iterator[Path]:
    """Fill `part`; it takes `target`'s place when the block ends well, and goes away when it does not.

    `part` is on `target`'s disk but outside every stage's inputs. What a killed run left there is removed first.
    """
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if target.exists():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
