"""Tasks as they are shown: where their data is, what is in it, and what the gate demands."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth.choices import BERT_SUITES, WORD_SUITES

if TYPE_CHECKING:
    from firth.config.params import Params
    from firth.config.tasks import AnyFile

MOST_LABELS = 12
SUITES = {"word2vec": WORD_SUITES, "bert": BERT_SUITES}
"""The gate's policies, each with the suites of its own."""


def show(name: str, params: Params, root: Path, official: str | None = None) -> None:
    """Read the files of task `name` as a run would, and print what is in them, and how much of the official set."""
    from firth.tasks.examples.build import build
    from firth.tasks.examples.describe import counted, shown, spread
    from firth.tasks.examples.files import load
    from firth.tasks.examples.found import notes
    from firth.tasks.examples.named import official_set
    from firth.tasks.official.results import row_count

    task = params.tasks[name]
    with tempfile.TemporaryDirectory(prefix="firth-examples-") as folder:
        build(name, task, Path(folder), root)
        examples = load(Path(folder))
    for side, found in (("train", examples.train), ("dev", examples.dev)):
        held = _listed(counted(found)) or spread(found)
        print(f"{side}: {len(found)} of {examples.manifest['available'][side]} examples{held and f': {held}'}")
    if official is not None:
        available, rows = examples.manifest["available"], official_set(official).rows
        print(f"{official}: " + ", ".join(f"{side} {row_count(available[side], rows[side])}" for side in available))
    for note in notes(examples.manifest):
        print(note)
    for example in examples.train[:2]:
        print(f"  {shown(example, task)}")


def _listed(counts: dict[str, int]) -> str:
    parts = [f"{label} {count}" for label, count in counts.items()]
    more = f", … ({len(parts)} in all)" if len(parts) > MOST_LABELS else ""
    return f"{', '.join(parts[:MOST_LABELS])}{more}"


def place_of(file: AnyFile) -> str:
    """Where a task's file is, in a few words."""
    from firth.config.tasks import HubFile, LocalFile, WheelFile

    match file:
        case LocalFile():
            return file.path
        case WheelFile():
            return f"{file.package} {file.version}"
        case HubFile():
            return f"hub: {file.dataset}{f' ({file.subset})' if file.subset else ''}"


def examples_at_hand(root: Path, name: str) -> str:
    """How many examples of task `name` the stage has made: train / dev."""
    manifest = root / "data" / "examples" / name / "manifest.json"
    if not manifest.is_file():
        return "not read yet"
    files: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    return " / ".join(str(files[f"{side}.jsonl"]["examples"]) for side in ("train", "dev"))


def demands(params: Params, name: str) -> str:
    """What the gate demands of a model on task `name`."""
    found = []
    for kind in SUITES:
        policy = getattr(params.gate, kind)
        if name in policy.suites:
            decides = ", decisive" if policy.decisive == name else ""
            found.append(f"{kind} ≥ {policy.suites[name].minimum:g}{decides}")
    return "; ".join(found) or "—"
