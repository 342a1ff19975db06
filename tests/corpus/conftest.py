"""A project folder of its own for each test, and small files of each kind to read."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firth.config.corpora import FileSource
from firth.corpus.sources.documents import Document
from firth.corpus.sources.files import pin_files
from firth.corpus.sources.opening import Opened, open_source


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the current folder."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_text("preset: demo\n")
    monkeypatch.chdir(root)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return root


@pytest.fixture
def source_of(project: Path) -> Callable[..., FileSource]:
    """Builds the source of some files in the project, pinned as they are."""

    def build(*paths: str, **fields: Any) -> FileSource:
        return FileSource(
            kind="files",
            licence="CC0",
            attribution="tests",
            paths=list(paths),
            sha256=pin_files(paths, project),
            **({"format": "text"} | fields),
        )

    return build


@pytest.fixture
def read(source_of: Callable[..., FileSource]) -> Callable[..., tuple[list[Document], Opened]]:
    """Reads some files of the project to their end: the documents, and the opened source with its drops."""

    def run(*paths: str, **fields: Any) -> tuple[list[Document], Opened]:
        opened = open_source("notes", source_of(*paths, **fields))
        return list(opened.documents), opened

    return run


@pytest.fixture
def make_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Builds a wheel that pip finds instead of any registry's; its sha256."""
    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))

    def build(files: dict[str, bytes], tag: str = "py3-none-any") -> str:
        path = links / f"oddments-1.0-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
            archive.writestr("oddments-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: oddments\nVersion: 1.0\n")
            archive.writestr("oddments-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
            archive.writestr("oddments-1.0.dist-info/RECORD", "")
        return hashlib.sha256(path.read_bytes()).hexdigest()

    return build
