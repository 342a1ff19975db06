"""A small project folder of text: corpora of local files, as a person would make one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firth.canonical import write_json
from firth.config import load_preset
from firth.corpus.sources.files import pin_files


def make_text_project(
    root: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, dict[str, bytes]], **changes: dict[str, Any]
) -> Path:
    """A project at `root`, made the current folder: `files[corpus][file name]` are its bytes (JSON Lines by default).

    `changes` are values for sections of the demo's parameters (which have no tasks here), or under `sources` for each
    corpus.
    """
    sources: dict[str, Any] = changes.pop("sources", {})
    root.mkdir(parents=True, exist_ok=True)
    (root / "dvc.yaml").write_text("stages: {}\n")
    params = load_preset("demo").model_dump(mode="json")
    params["corpora"], params["tasks"] = {}, {}
    for corpus, contents in files.items():
        for name, data in contents.items():
            (root / "texts" / corpus).mkdir(parents=True, exist_ok=True)
            (root / "texts" / corpus / name).write_bytes(data)
        params["corpora"][corpus] = {
            "kind": "files",
            "licence": "CC0",
            "attribution": "tests",
            "paths": [f"texts/{corpus}/*"],
            "sha256": pin_files([f"texts/{corpus}/*"], root),
            "format": "jsonl",
        } | sources.get(corpus, {})
    for section, values in changes.items():
        params[section] = params[section] | values
    (root / "params.yaml").write_text(json.dumps(params))
    monkeypatch.chdir(root)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return root


def approve(corpus: str, success: bool = True) -> None:
    """Write what `validate` would for `corpus` in the current project."""
    expectation: dict[str, object] = {
        "name": "enough words",
        "column": None,
        "expected": 1,
        "observed": 1,
        "success": success,
        "examples": [],
    }
    write_json(
        Path("data/validation") / corpus / "results.json",
        {"corpus": corpus, "success": success, "expectations": [expectation]},
    )


def lines(*texts: str) -> bytes:
    """`texts` as JSON Lines."""
    return "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts).encode()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
