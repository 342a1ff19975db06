"""`toy` is a clone without outputs, `built` one with all of them; see `tests/support/toy_project.py`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from tests.support import toy_project

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """DVC uses a property that its library pygtrie has deprecated."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning"))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This environment's programs, nobody's Git configuration, no other clone's state."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.delenv("FIRTH_STATE", raising=False)


@pytest.fixture(scope="session")
def _toys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return toy_project.make(tmp_path_factory.mktemp("toys"))


@pytest.fixture
def toy(_toys: tuple[Path, Path], tmp_path: Path) -> Path:
    """A committed clone without outputs."""
    return Path(shutil.copytree(_toys[0], tmp_path / "clone", symlinks=True))


@pytest.fixture
def built(_toys: tuple[Path, Path], tmp_path: Path) -> Path:
    """A committed clone with dvc.lock and all outputs."""
    return Path(shutil.copytree(_toys[1], tmp_path / "clone", symlinks=True))
