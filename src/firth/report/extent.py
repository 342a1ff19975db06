"""Which official data set a task's examples are of, and how much of it: subset or full."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from firth.config.tasks import AnyTask, HubFile, LocalFile, WheelFile
from firth.tasks.examples.named import official_sets

if TYPE_CHECKING:
    from firth.report.inputs import TaskRun

MISMATCHED, MATCHED = "glue/mnli-mm", "glue/mnli-m"


def extent(run: TaskRun, entry: AnyTask) -> dict[str, Any] | None:
    """The set that `published` names, with the rows of its official files; None for a set of one's own.

    Args:
        run: What was measured.
        entry: The task's parameters, which say whether there is a dev file, and for MNLI, which of the two.

    Returns:
        `{"set": "glue/cola", "rows": {"train": 8551, "dev": 1043}}`; `dev` is None where the dev side was held out of
        the train file.
    """
    published = run.manifest.get("published")
    found = {name: one for name, one in official_sets().items() if published and one.entry["published"] == published}
    if not found:
        return None
    name = (MISMATCHED if _mismatched(entry) else MATCHED) if MATCHED in found else next(iter(found))
    rows = found[name].rows
    return {"set": name, "rows": {"train": rows["train"], "dev": rows["dev"] if entry.dev else None}}


def _mismatched(entry: AnyTask) -> bool:
    """By the name that the dev file has in the distribution, or the split on the hub."""
    match entry.dev:
        case None:
            return False
        case HubFile(split=name):
            return "mismatched" in name
        case LocalFile(path=name) | WheelFile(file=name):
            return "mismatched" in PurePath(name).name
