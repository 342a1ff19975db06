"""A folder of examples: `train.jsonl`, `dev.jsonl` and their manifest, written whole and checked when read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firth.canonical import file_sha256, read_json, write_atomic, write_json
from firth.choices import Kind
from firth.errors import IntegrityError

SIDES = ("train", "dev")
Example = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of one task.

    Each is a dictionary with `id` and, by kind: text `text`, `label`; pair `first`, `second`, `label`; span `context`,
    `question`, `answers` (`[{"text", "start"}]`, characters of the context); tagging `tokens`, `tags` (IOB2); number
    `first`, `second`, `score`; choice `context`, `endings`, `label` (number of the right one).
    """

    kind: Kind
    train: list[Example]
    dev: list[Example]
    manifest: dict[str, Any]


def write(folder: Path, sides: dict[str, list[Example]], manifest: dict[str, Any]) -> dict[str, Any]:
    """Write both sides and `manifest` with their counts and digests; the manifest that was written."""
    files = {}
    for side in SIDES:
        path = folder / f"{side}.jsonl"
        write_atomic(path, "".join(map(_line, sides[side])).encode())
        files[path.name] = {"examples": len(sides[side]), "sha256": file_sha256(path)}
    manifest = {**manifest, "files": files}
    write_json(folder / "manifest.json", manifest)
    return manifest


def load(folder: Path) -> Examples:
    """What `write` wrote to `folder`.

    Raises:
        IntegrityError: a file is missing, torn or altered.
    """
    manifest = _manifest(folder)
    train, dev = (_read(folder, side, manifest) for side in SIDES)
    return Examples(manifest["kind"], train, dev, manifest)


def dev_texts(folder: Path) -> list[str]:
    """The texts of the dev side, each once, in order: what no encoder that is scored on it may have been trained on.

    A pair gives two texts, a span example its context and its question, tagged words the sentence they make up, a
    choice its context and each ending.
    """
    manifest = _manifest(folder)
    texts = (text for example in _read(folder, "dev", manifest) for text in texts_of(example, manifest["kind"]))
    return list(dict.fromkeys(texts))


def texts_of(example: Example, kind: Kind) -> Sequence[str]:
    """The texts of one example."""
    match kind:
        case "text":
            return (example["text"],)
        case "pair" | "number":
            return example["first"], example["second"]
        case "span":
            return example["context"], example["question"]
        case "tagging":
            return (" ".join(example["tokens"]),)
        case "choice":
            return example["context"], *example["endings"]


def _manifest(folder: Path) -> dict[str, Any]:
    manifest = read_json(folder / "manifest.json")
    if not isinstance(manifest, dict) or not {"kind", "files"} <= manifest.keys():
        raise IntegrityError(f"{folder / 'manifest.json'}: not the manifest of a task's examples")
    return manifest


def _read(folder: Path, side: str, manifest: dict[str, Any]) -> list[Example]:
    path = folder / f"{side}.jsonl"
    if not path.is_file():
        raise IntegrityError(f"{path}: missing, but named in the manifest")
    if file_sha256(path) != manifest["files"][path.name]["sha256"]:
        raise IntegrityError(f"{path}: not the bytes that the manifest names (torn or altered)")
    # Not splitlines(): a text may hold U+2028, which ends a line for it and not for JSON.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _line(example: Example) -> str:
    return json.dumps(example, ensure_ascii=False, allow_nan=False) + "\n"
