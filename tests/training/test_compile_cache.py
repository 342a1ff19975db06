"""The stamp of compiled kernels: what they were compiled from, wherever the project lies."""

from pathlib import Path

import pytest

from firth.training import compile_cache
from firth.training.compile_cache import source_stamp


def stamp(monkeypatch: pytest.MonkeyPatch, root: Path, module: str, text: str) -> str:
    """Of a kernel in `module` of a package that lies in `root`."""
    file = root / module
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    monkeypatch.setattr(compile_cache, "PACKAGE", root)
    source_stamp.cache_clear()
    return source_stamp(str(file))


def test_the_stamp_is_of_the_text_and_its_place_in_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = stamp(monkeypatch, tmp_path / "clone", "bert/kernels.py", "a = 1\n")
    assert stamp(monkeypatch, tmp_path / "other", "bert/kernels.py", "a = 1\n") == first, "another clone finds it"
    assert stamp(monkeypatch, tmp_path / "clone", "bert/kernels.py", "a = 2\n") != first
    # Numba would import the module by the name that it had when the code was compiled.
    assert stamp(monkeypatch, tmp_path / "clone", "bert/data/kernels.py", "a = 1\n") != first
