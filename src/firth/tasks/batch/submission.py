"""A submission to GLUE's leaderboard: kept models answer the official test files, and the answers are zipped.

The leaderboard takes eleven files at once: MNLI's two test sets and the diagnostic set are answered by one model of
MNLI. Of a set with several models these answer together.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from firth.canonical import whole_file
from firth.errors import DataError
from firth.packing import unpacked_name
from firth.progress import Meter
from firth.tasks.batch.numbered import check_labels, fields_of, kind_of
from firth.tasks.kept import folder as keeping
from firth.tasks.kept.ensemble import check_together
from firth.tasks.kept.folder import Kept
from firth.tasks.kept.predicting import predict, record
from firth.tasks.official.glue import TASKS
from firth.tasks.official.glue_files import GlueFile, read_test
from firth.tasks.official.predictions import write_submission

BLOCK = 512
"""Examples that are answered at a time."""
ZIP = "submission.zip"
MODELS = {"mnli-m": "mnli", "mnli-mm": "mnli", "ax": "mnli"}
"""Sets that share a model, by the name of its folder; that of a set alone has the set's name."""
TEST_FILES = {
    "mnli-m": ("MNLI", "test_matched"),
    "mnli-mm": ("MNLI", "test_mismatched"),
    "ax": ("diagnostic", "diagnostic"),
}
"""Folder and beginning of the test files that are not called `test.tsv` in the set's own folder."""


@dataclass(frozen=True)
class Submitted:
    """The files that were written, by set; sets without a model; and the zip, where none is missing."""

    files: Mapping[str, Path]
    missing: list[str] = field(default_factory=list)
    zip: Path | None = None


def submit(models: Sequence[Path], data: Path, to: Path, workers: int = 1) -> Submitted:
    """Answer every test file that `models` have a kept model for.

    Args:
        models: folders with a kept model for each set, by the name of the set; that of MNLI is `mnli`. Models of one
            set in several folders answer together.
        data: GLUE as it is distributed, with the test files.
        to: where the files are written: `CoLA.tsv`, …, and `submission.zip` once all eleven are there.
        workers: CPU threads.

    Raises:
        DataError: one of `models` holds none of them, a test file is missing or not the set's, a model is of another
            task.
    """
    names = list(dict.fromkeys(MODELS.get(name, name) for name in TASKS))
    for folder in models:
        if not any(keeping.is_kept(folder / name) for name in names):
            said = (
                f"holds no kept model by the name of a set ({', '.join(names)}); `firth evaluate … --save` writes one"
            )
            raise DataError(said, folder)
    chosen = {name: tuple(folder / MODELS.get(name, name) for folder in models) for name in TASKS}
    kept_ones = {name: tuple(filter(keeping.is_kept, folders)) for name, folders in chosen.items()}
    there = {name: folders for name, folders in kept_ones.items() if folders}
    missing = [name for name in TASKS if name not in there]
    tests = {name: read_test(_test_file(data, name), TASKS[name]) for name in there}
    to.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path] = {}
    for folders in dict.fromkeys(there.values()):
        kept = {str(folder): keeping.load(folder, workers) for folder in folders}
        check_together(kept)
        for name in (name for name, its in there.items() if its == folders):
            _check(kept[str(folders[0])], tests[name], folders[0])
            (files[name],) = write_submission(to, {name: list(_answers(list(kept.values()), tests[name]))})
    if missing:
        return Submitted(files, missing)
    with whole_file(to / ZIP) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files.values():
            packed.writestr(_member(path.name), path.read_bytes())
    return Submitted(files, [], to / ZIP)


def _member(name: str) -> zipfile.ZipInfo:
    """A file of no date, so that the same answers give the same zip."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    return member


def _answers(models: Sequence[Kept], test: GlueFile) -> Iterator[str | float]:
    first, *beside = models
    fields = fields_of(test.task)
    with Meter(f"{test.task.title} test", len(test.rows), "examples") as meter:
        for start in range(0, len(test.rows), BLOCK):
            rows = test.rows[start : start + BLOCK]
            asked = [record(first, dict(zip(fields, row.texts, strict=True)), test.where, row.line) for row in rows]
            for answer in predict(first, asked, beside=beside, blank=True):
                yield answer["prediction"]
            meter.advance(len(rows))


def _check(kept: Kept, test: GlueFile, folder: Path) -> None:
    task = test.task
    indexes = [row.index for row in test.rows if row.index is not None]
    if indexes and indexes != list(range(len(test.rows))):
        raise DataError(f"column {task.index!r} does not count its {len(test.rows):,} rows from 0 on", test.where)
    if len(test.rows) != task.rows["test"]:
        raise DataError(
            f"{len(test.rows):,} rows, but the test file of {task.title} has {task.rows['test']:,}", test.where
        )
    wanted = kind_of(task)
    if kept.kind != wanted:
        raise DataError(f"a model for {kept.kind}, but {task.title} is {wanted}", folder)
    check_labels(kept.said["usage"].get("labels", ()), task, folder)


def _test_file(data: Path, name: str) -> Path:
    inside, begin = TEST_FILES.get(name, (TASKS[name].folder, "test"))
    folder = data / inside
    found = [path for path in folder.iterdir() if unpacked_name(path.name) == f"{begin}.tsv"] if folder.is_dir() else []
    if not found:
        raise DataError(f"no {begin}.tsv there, plain or packed: the test file of {TASKS[name].title}", folder)
    return found[0]
