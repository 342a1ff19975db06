"""What is asked of a run, checked before anything starts: parameters first, then the stages' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firth.config import Params, load_params, with_overrides
from firth.config.load import flatten, preset_text
from firth.errors import ConfigError
from firth.pipeline.git import head
from firth.pipeline.graph import Project


@dataclass(frozen=True)
class Plan:
    """A run that can start: which clone, which parameters, which stages."""

    root: Path
    params_text: str
    params: Params
    changed: bool  # whether the parameters are other than the clone's: such a run leaves the clone untouched
    targets: tuple[str, ...]
    changes: tuple[str, ...] = ()  # what is other than in the clone, such as "word2vec.window: 5 → 3"


def make(root: Path, preset: str | None, overrides: Sequence[str], targets: Sequence[str]) -> Plan:
    """The plan for stages `targets` (all, where empty) with `preset` or params.yaml, and `overrides` on top.

    Raises `ConfigError` naming the key that is wrong, `FirthError` naming the stage that does not exist or what the
    clone lacks. Nothing is written.
    """
    path = root / "params.yaml"
    now = path.read_text(encoding="utf-8") if path.is_file() else ""
    text, params = (
        with_overrides(preset_text(preset), overrides, f"preset {preset}") if preset else _own(path, overrides)
    )
    current = _current(path)
    changed = params != current
    head(root)
    if targets and current is not None and _same_stages(params, current):
        with Project(root) as clone:
            clone.graph().select(targets)
    return Plan(root, text if changed else now, params, changed, tuple(targets), _changes(current, params))


def _same_stages(params: Params, current: Params) -> bool:
    """Other corpora or tasks make other stages: those are checked in the worktree."""
    return set(params.corpora) == set(current.corpora) and set(params.tasks) == set(current.tasks)


def _own(path: Path, overrides: Sequence[str]) -> tuple[str, Params]:
    load_params(path)  # a fault in the file is told as the file's, not as an override's
    return with_overrides(path.read_text(encoding="utf-8"), overrides, str(path))


def _current(path: Path) -> Params | None:
    """The clone's parameters; None where they are missing or wrong, which a preset may repair for one run."""
    try:
        return load_params(path)
    except ConfigError:
        return None


def _changes(current: Params | None, params: Params) -> tuple[str, ...]:
    if current is None:
        return ()
    before, after = flatten(current), flatten(params)
    changed = [f"{key}: {before.get(key, '–')} → {value}" for key, value in after.items() if before.get(key) != value]
    return (*changed, *(f"{key}: {before[key]} → –" for key in before if key not in after))
