"""Whether a train and a dev file are what they are given as: not one file twice, and not swapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from firth.config.tasks import AnyFile, AnyTask, WheelFile
from firth.errors import DataError
from firth.tasks.examples.found import InFile
from firth.tasks.examples.named import official_sets
from firth.tasks.official.glue import Side

SCORED_TEST_ROWS = {"conll-2003": 3_453}
"""Of official test files that have labels, and so may be a dev side, too."""


def check_sides(name: str, task: AnyTask, train: InFile, dev: InFile) -> None:
    """Whether the files of task `name` can be its two sides.

    Raises:
        DataError: they are one file; or of an official set, one has as many examples as the other's official file, or
            the dev side more than the official one.
    """
    if task.dev is not None and _bytes(task.train) == _bytes(task.dev):
        raise DataError(
            f"tasks.{name}: the same bytes as {train.where}: what is trained on cannot be scored; give another dev "
            "file, or none, and a share of the train file is the dev side",
            dev.where,
        )
    official = list(_official_rows(task.published))
    if not official:
        return
    rows = {"train": len(train.found), "dev": len(dev.found)}
    swapped = any(rows["train"] == known["dev"] or rows["dev"] == known["train"] for known in official)
    most = max(*(known["dev"] for known in official), SCORED_TEST_ROWS.get(task.published, 0))
    if swapped or rows["dev"] > most:
        said = " or ".join(f"{known['train']:,} and {known['dev']:,}" for known in official)
        raise DataError(
            f"tasks.{name}: {train.where} as train has {rows['train']:,} examples and {dev.where} as dev "
            f"{rows['dev']:,}; the official files of {task.published} have {said}: are they swapped?"
        )


def _bytes(file: AnyFile) -> tuple[str, str]:
    """What tells the file's bytes from those of others; a wheel holds several files."""
    return file.sha256, file.file if isinstance(file, WheelFile) else ""


def _official_rows(published: str) -> Iterator[Mapping[Side, int]]:
    """Of MNLI both sets: they have one name as published scores."""
    for found in official_sets().values():
        if published and found.entry["published"] == published:
            yield found.rows
