"""Tasks of small files in a project folder of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firth.config.tasks import AnyTask
from firth.tasks.examples.build import build
from firth.tasks.examples.describe import MODELS
from firth.tasks.examples.files import Examples, load


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the current folder."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("preset: demo\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return tmp_path


def task_of(kind: str, root: Path, train: str, dev: str | None = None, **fields: Any) -> AnyTask:
    """The parameters of a task of local files in `root`, pinned as they are."""
    pinned: dict[str, Any] = {
        side: {"kind": "files", "path": name, "sha256": hashlib.sha256((root / name).read_bytes()).hexdigest()}
        for side, name in (("train", train), ("dev", dev))
        if name is not None
    }
    fields = {"format": "conll" if kind == "tagging" else "jsonl"} | fields
    return MODELS[kind](kind=kind, title="T", licence="CC0", attribution="tests", **pinned, **fields)  # type: ignore[arg-type]


@pytest.fixture
def built(folder: Path) -> Callable[..., Examples]:
    """Builds the examples of a kind from the bytes of one or two files."""

    def run(
        kind: str, data: bytes | str, name: str = "a.jsonl", dev: bytes | str | None = None, **fields: Any
    ) -> Examples:
        for path, content in ((name, data), (f"dev-{name}", dev)):
            if content is not None:
                (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
        task = task_of(kind, folder, name, None if dev is None else f"dev-{name}", **fields)
        build("t", task, folder / "out", folder)
        return load(folder / "out")

    return run
