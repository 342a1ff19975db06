"""What `dvc.lock` records of each stage: the hashes of what it wrote, and what it read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from firth.errors import IntegrityError


@dataclass(frozen=True)
class Locked:
    """A stage as DVC locked it."""

    reads: tuple[str, ...]
    """Paths of its inputs, code among them, in the file's order."""
    outputs: Mapping[str, str]
    """DVC's hash by path: an md5, `<md5>.dir` for a folder."""

    @property
    def data(self) -> list[str]:
        """Its inputs below `data`: what other stages wrote."""
        return [path for path in self.reads if path.startswith("data/")]


Lock: TypeAlias = Mapping[str, Locked]
"""Stages by name, in the file's order."""


def read_lock(root: Path) -> Lock:
    """The stages of `root`'s dvc.lock, none where there is no such file; `IntegrityError` where it is not one."""
    path = root / "dvc.lock"
    if not path.is_file():
        return {}
    try:
        # Plain values alone, as by `safe_load`, in a sixth of its time.
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise IntegrityError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    try:
        stages: Mapping[str, Any] = {} if tree is None else tree.get("stages", {})
        return {str(name): _locked(stage) for name, stage in stages.items()}
    except (AttributeError, KeyError, TypeError):
        raise IntegrityError(f"{path}: not as DVC writes it; take it from git or the cache again") from None


def output_hash(lock: Lock, path: str) -> str | None:
    """DVC's hash of output `path`."""
    return next((stage.outputs[path] for stage in lock.values() if path in stage.outputs), None)


def upstream_outputs(lock: Lock, inputs: Iterable[str]) -> dict[str, dict[str, str]]:
    """`{stage: {path: hash}}` of all stages that `inputs` come from, directly or not."""
    found: dict[str, dict[str, str]] = {}
    waiting = list(inputs)
    while waiting:
        wanted = waiting.pop()
        for name, stage in lock.items():
            if name not in found and any(_overlap(wanted, path) for path in stage.outputs):
                found[name] = dict(stage.outputs)
                waiting += stage.data
    return dict(sorted(found.items()))


def _locked(stage: Mapping[str, Any]) -> Locked:
    reads = tuple(str(dep["path"]) for dep in stage.get("deps", ()))
    return Locked(reads, {str(out["path"]): str(out["md5"]) for out in stage.get("outs", ())})


def _overlap(first: str, second: str) -> bool:
    return first == second or first.startswith(f"{second}/") or second.startswith(f"{first}/")
