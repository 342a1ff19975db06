"""Official data sets by name, out of a folder as they are distributed: what a task's entry would say of them.

Files may be plain or packed, and parts of a set may say so behind its name (`train_subset.tsv.xz`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from firth.config.tasks import GLUE_SETS, QUERY_LENGTH, SQUAD_LENGTH, SQUAD_STRIDE, AnyFile, AnyTask, HubFile, LocalFile
from firth.errors import ConfigError, DataError
from firth.packing import unpacked_name
from firth.tasks.official.glue import TASKS, Side
from firth.tasks.official.swag import OFFICIAL as SWAG_ROWS

ALL = 1_000_000
"""More examples than any of these sets has."""
SIDES: tuple[Side, ...] = ("train", "dev")
GLUE_PREFIX = "glue/"
GLUE_FOLDER = "glue"
GLUE_LENGTH, CONLL_LENGTH = 128, 128
_METRICS = {"cola": "matthews", "mrpc": "f1", "qqp": "f1", "sts-b": "pearson_spearman"}
"""Of GLUE's sets; accuracy for the others."""


@dataclass(frozen=True)
class OnHub:
    """A data set as the Hugging Face hub has it; its task's entry has these fields in place of those of its files."""

    dataset: str
    subset: str | None = None
    dev: str = "validation"
    entry: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OfficialSet:
    """A data set as it is distributed: names of its files begin with these, their endings are `ending`'s."""

    entry: Mapping[str, Any]
    folder: str
    begins: Mapping[Side, str]
    ending: str
    rows: Mapping[Side, int]
    hub: OnHub


def official_sets() -> dict[str, OfficialSet]:
    """All of them by the names that `firth score` has, too."""
    return {
        **{f"{GLUE_PREFIX}{name}": _glue(name) for name in TASKS if name != "ax"},
        "squad": OfficialSet(
            {
                "kind": "span", "format": "squad", "published": "squad-1.1", "title": "SQuAD 1.1",
                "licence": "CC BY-SA 4.0", "attribution": "Rajpurkar et al. (2016)",
            },
            "squad", {"train": "train-v1.1", "dev": "dev-v1.1"}, ".json", {"train": 87_599, "dev": 10_570},
            OnHub(
                "rajpurkar/squad",
                entry={
                    "format": "jsonl", "answer_field": "answers", "group_field": "title", "length": SQUAD_LENGTH,
                    "doc_stride": SQUAD_STRIDE, "query_length": QUERY_LENGTH,
                },
            ),
        ),
        "conll2003": OfficialSet(
            {
                "kind": "tagging", "format": "conll", "published": "conll-2003", "title": "CoNLL-2003, English",
                "licence": "research use only (Reuters text)", "attribution": "Tjong Kim Sang and De Meulder (2003)",
                "length": CONLL_LENGTH,
            },
            "conll2003", {"train": "eng.train", "dev": "eng.testa"}, "", {"train": 14_041, "dev": 3_250},
            OnHub("eriktks/conll2003", entry={"format": "jsonl", "tags_field": "ner_tags"}),
        ),
        "swag": OfficialSet(
            {
                "kind": "choice", "format": "csv", "published": "swag", "title": "SWAG", "context_field": "sent1",
                "start_field": "sent2", "licence": "MIT", "attribution": "Zellers et al. (2018)",
            },
            "swag", {"train": "train", "dev": "val"}, ".csv",
            {"train": SWAG_ROWS["train"], "dev": SWAG_ROWS["dev"]},
            OnHub("allenai/swag", "regular", entry={"format": "jsonl"}),
        ),
    }  # fmt: skip


def official_set(name: str) -> OfficialSet:
    """The one called `name`.

    Raises:
        ConfigError: there is none, or there are two.
    """
    sets = official_sets()
    if name.lower() == f"{GLUE_PREFIX}mnli":
        raise ConfigError(f"{name}: MNLI has two dev sides; say glue/mnli-m (matched) or glue/mnli-mm (mismatched)")
    if name.lower() not in sets:
        raise ConfigError(f"{name}: no official set; there are {', '.join(sets)}")
    return sets[name.lower()]


def files_of(found: OfficialSet, data: Path, sides: Sequence[Side] = SIDES) -> dict[Side, Path]:
    """The files of a set's `sides` in the folder `data`, or in the set's own below it: `CoLA`, `glue/CoLA`.

    Raises:
        DataError: one is missing, or several could be meant.
    """
    if not data.is_dir():
        raise DataError("no such folder", data)
    inner = _below(data, found.folder) or [
        path for glue in _below(data, GLUE_FOLDER) for path in _below(glue, found.folder)
    ]
    if inner:
        return {side: _file(inner[0], found.begins[side], found.ending) for side in sides}
    return {side: _file(data, found.begins[side], found.ending, f", nor a folder {found.folder}") for side in sides}


def entry_of(found: OfficialSet) -> dict[str, Any]:
    """What a task's entry says of the set, but for its files: everything is kept, as its published scores ask for."""
    return {**found.entry, "train_examples": ALL, "dev_examples": ALL, "keep_repeats": True}


def entry_on_hub(found: OfficialSet) -> dict[str, Any]:
    """As `entry_of`, of the rows on the hub."""
    return entry_of(found) | dict(found.hub.entry)


def official_counts(task: AnyTask, name: str | None = None) -> dict[str, Any] | None:
    """How many examples the official set has that a task is, or is a part of: of each side whose file has its name.

    Args:
        task: its `published` says which set it is of.
        name: the official set where it was asked for by name.

    Returns:
        `{"name", "train", "dev"}`; a side that is another file, or a share of one, has None. None where there is no
        `name` and no side is one of the set's.
    """
    sets = official_sets() if name is None else {name.lower(): official_set(name)}
    counts = [
        {"name": called, **_rows(task, found)}
        for called, found in sets.items()
        if found.entry["published"] == task.published
    ]
    best = max(counts, key=_known, default=None)
    return best if best is not None and (name is not None or _known(best)) else None


def _glue(name: str) -> OfficialSet:
    task = TASKS[name]
    published = "mnli" if name.startswith("mnli") else name
    (kind,) = (kind for kind, sets in GLUE_SETS.items() if published in sets)
    return OfficialSet(
        {
            "kind": kind, "format": "glue", "published": published, "title": f"GLUE: {task.title}",
            "licence": "the set's own; research", "attribution": "GLUE (Wang et al., 2019) and the authors of the set",
            "metric": _METRICS.get(name, "accuracy"), "length": GLUE_LENGTH,
        },
        task.folder, {"train": "train", "dev": task.dev}, ".tsv", task.rows,
        OnHub("nyu-mll/glue", published.replace("-", ""), task.dev.replace("dev", "validation")),
    )  # fmt: skip


def _below(folder: Path, name: str) -> list[Path]:
    """Folders of that name in `folder`, in whatever case."""
    return [path for path in folder.iterdir() if path.is_dir() and path.name.lower() == name.lower()]


def _file(folder: Path, begin: str, ending: str, nor: str = "") -> Path:
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and _is_called(path.name, begin, ending)]
    exact = [path for path in found if unpacked_name(path.name) == f"{begin}{ending}"]
    chosen = exact or found
    if not chosen:
        raise DataError(f"no file {begin}{ending} there, plain or packed{nor}", folder)
    if len(chosen) > 1:
        raise DataError(f"several files could be {begin}{ending}: {', '.join(path.name for path in chosen)}", folder)
    return chosen[0]


def _is_called(packed: str, begin: str, ending: str) -> bool:
    """Whether a file's name is `begin` and `ending`, or has something between that is no further part of the word."""
    name = unpacked_name(packed)
    return name.startswith(begin) and name.endswith(ending) and not name[len(begin) : len(begin) + 1].isalnum()


def _rows(task: AnyTask, found: OfficialSet) -> dict[Side, int | None]:
    files: dict[Side, AnyFile | None] = {"train": task.train, "dev": task.dev}
    return {side: found.rows[side] if _is_of(file, found, side) else None for side, file in files.items()}


def _known(counts: Mapping[str, Any]) -> int:
    return sum(counts[side] is not None for side in SIDES)


def _is_of(file: AnyFile | None, found: OfficialSet, side: Side) -> bool:
    """Whether that is the official file of a side, or a part of it, by its name or by the hub's."""
    if file is None:
        return False
    if isinstance(file, HubFile):
        split = found.hub.dev if side == "dev" else side
        return (file.dataset, file.subset, file.split) == (found.hub.dataset, found.hub.subset, split)
    path = file.path if isinstance(file, LocalFile) else file.file
    return _is_called(PurePath(path).name, found.begins[side], found.ending)
