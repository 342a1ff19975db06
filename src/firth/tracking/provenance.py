"""Where a result comes from: git commit, DVC hashes of every upstream stage, validation, sources. Read from files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from firth.canonical import read_json
from firth.config import load_params
from firth.lockfile import Lock, read_lock, upstream_outputs

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Surroundings:
    """What all results of one folder have in common, read once."""

    lock: Lock
    git: dict[str, Any]
    validation: dict[str, Any]
    corpora: dict[str, Any]

    @classmethod
    def of(cls, root: Path) -> Self:
        """Those of what lies in `root`."""
        params, kept = load_params(root / "params.yaml"), _prepared(root)
        corpora = {
            name: {"licence": source.licence, "attribution": source.attribution, "language": params.prepare.language}
            | kept.get(name, {})
            for name, source in params.corpora.items()
        }
        return cls(read_lock(root), git_state(root), validation_results(root), corpora)

    def provenance(self, inputs: Iterable[str]) -> dict[str, Any]:
        """`{"git", "stages", "validation", "corpora"}`, upstream of the paths `inputs`.

        `stages` maps each stage to `{output path: DVC hash}`; `validation` each corpus to `{"success", "failed"}`;
        `corpora` each to `licence`, `attribution`, `language`, and the `documents` and `words` that `prepare` kept.
        """
        stages = upstream_outputs(self.lock, inputs)
        return {"git": self.git, "stages": stages, "validation": self.validation, "corpora": self.corpora}


def _prepared(root: Path) -> dict[str, dict[str, int]]:
    """`{corpus: {"documents", "words"}}`; none where `data/corpus` does not lie there."""
    path = root / "data" / "corpus" / "drops.json"
    kept = read_json(path)["kept"] if path.is_file() else {}
    return {name: {key: int(counts[key]) for key in ("documents", "words")} for name, counts in kept.items()}


def git_state(root: Path) -> dict[str, Any]:
    """`{"commit", "dirty"}`; what a run itself writes (`dvc.lock`, `data`) makes no tree dirty."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": UNKNOWN, "dirty": True}
    changes = _git(root, "status", "--porcelain", "--", ".", ":(exclude)dvc.lock", ":(exclude)data")
    return {"commit": commit, "dirty": changes != ""}


def validation_results(root: Path) -> dict[str, dict[str, Any]]:
    """`{corpus: {"success", "failed": [expectation]}}` from the results that `validate` wrote."""
    results = {}
    for path in sorted((root / "data" / "validation").glob("*/results.json")):
        tree = read_json(path)
        results[path.parent.name] = {
            "success": bool(tree["success"]),
            "failed": [item["name"] for item in tree["expectations"] if not item["success"]],
        }
    return results


def validation_word(results: Mapping[str, Mapping[str, Any]]) -> str:
    """`passed`, `failed` (one corpus suffices) or `missing`."""
    if not results:
        return "missing"
    return "passed" if all(result["success"] for result in results.values()) else "failed"


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
