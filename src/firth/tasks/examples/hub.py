"""Splits of data sets on the Hugging Face hub, as the readers of local files take them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firth.canonical import file_sha256, write_atomic
from firth.config.tasks import AnyTask, HubFile
from firth.errors import ConfigError, DataError
from firth.hub import fetch_rows, labelled, newest_revision
from firth.packing import Input
from firth.tasks.examples.glue import glue_set
from firth.tasks.official.glue import GlueTask

TEXTS = {
    "cola": ("sentence",), "sst-2": ("sentence",), "qqp": ("question1", "question2"),
    "mnli": ("premise", "hypothesis"), "qnli": ("question", "sentence"),
}  # fmt: skip
"""The hub's columns of GLUE's texts, where they are not `PAIR`."""
PAIR = ("sentence1", "sentence2")
LABEL, INDEX = "label", "idx"
MEANING = {
    "unacceptable": "0", "negative": "0", "not_equivalent": "0", "not_duplicate": "0", "not_entailment": "0",
    "acceptable": "1", "positive": "1", "equivalent": "1", "duplicate": "1", "entailment": "1",
}  # fmt: skip
"""Official labels of the hub's names, in the sets whose own files have 0 and 1."""


def pin_split(hub: str, subset: str | None, split: str) -> dict[str, Any]:
    """The parameters of one split as it is now: fetched, kept, its revision and its rows pinned.

    Args:
        hub: the data set's id, or id@revision.
        subset: its configuration, if it has several.
        split: train, validation, …

    Raises:
        FirthError: as for `firth.hub.fetch_rows`.
    """
    dataset, at, asked = hub.partition("@")
    if at and not asked:
        raise ConfigError(f"--hub {hub}: write DATASET or DATASET@REVISION")
    revision = newest_revision(dataset, asked or None)
    path = fetch_rows(dataset, subset, split, revision)
    entry = {"kind": "hub", "dataset": dataset, "split": split, "revision": revision, "sha256": file_sha256(path)}
    return entry | ({} if subset is None else {"subset": subset})


def open_split(file: HubFile, task: AnyTask) -> Input:
    """The pinned rows as a file of JSON Lines; for the format glue in the official columns.

    Raises:
        FirthError: as for `firth.hub.fetch_rows`.
        DataError: rows without a column of the set.
    """
    path = fetch_rows(file.dataset, file.subset, file.split, file.revision, file.sha256)
    where = f"{labelled(file.dataset, file.subset)}, {file.split}"
    if task.format == "glue":
        path = _as_glue(path, where, glue_set(task.published))
    return Input(name=path.name, where=where, size=path.stat().st_size, open=lambda: path.open("rb"))


def _as_glue(path: Path, where: str, official: GlueTask) -> Path:
    """The rows as a file of GLUE's own form, beside them."""
    texts = TEXTS.get("mnli" if official.name.startswith("mnli") else official.name, PAIR)
    columns = dict(zip(official.texts, texts, strict=True)) | {official.label: LABEL}
    if not official.header:  # such files hold all of their columns
        header = official.columns["train"]
    else:
        header = (*columns, *([official.index] if official.index not in columns else []))
        columns[official.index] = INDEX
    lines = ["\t".join(header)] if official.header else []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], 1):
        row = json.loads(line)
        if lacking := [name for name in (*texts, LABEL) if name not in row]:
            raise DataError(f"no column {lacking[0]!r}, which {official.title} has; there are: {', '.join(row)}", where)
        cells = {column: _cell(row, name, official, where, number) for column, name in columns.items()}
        lines.append("\t".join(cells.get(column, "") for column in header))
    written = path.with_suffix(f".{official.name}.tsv")
    write_atomic(written, ("\n".join(lines) + "\n").encode())
    return written


def _cell(row: Mapping[str, Any], name: str, official: GlueTask, where: str, number: int) -> str:
    value = row.get(name)
    if name != LABEL:
        return str(number - 1 if name == INDEX and value is None else value).translate(_BLANKS)
    if value is None:
        raise DataError(f"row {number} has no label: a test split, whose labels are not published", where)
    return str(value) if value in official.labels else MEANING.get(str(value), str(value))


_BLANKS = str.maketrans("\t\n\r", "   ")
