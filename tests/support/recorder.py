"""What stands for the tracker in tests of stages, and what a stage has written."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Recorder:
    """In place of `training_run`, which has tests of its own."""

    def __init__(self) -> None:
        self.opened: list[Any] = []
        self.points: list[tuple[int, dict[str, float]]] = []

    @contextmanager
    def __call__(self, *args: Any) -> Any:
        """Note with what a run is opened."""
        self.opened.append(args)
        yield self

    def log(self, metrics: dict[str, float], step: int) -> None:
        """Note a point."""
        self.points.append((step, metrics))


def written(root: Path, *folders: str) -> dict[str, bytes]:
    """The files below these folders of `data`."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in folders
        for path in sorted((root / "data" / folder).rglob("*"))
        if path.is_file()
    }
