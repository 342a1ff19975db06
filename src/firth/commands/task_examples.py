"""The examples that a command asks for: one's own files, an official set, or a task of this project."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from firth.choices import Kind
from firth.commands.addresses import root_or_none
from firth.errors import ConfigError, FirthError
from firth.project import find_root

if TYPE_CHECKING:
    from firth.config.tasks import AnyTask
    from firth.tasks.examples.files import Examples
    from firth.tasks.official.glue import Side

KINDS = get_args(Kind)


@contextmanager
def examples_asked_for(
    task: str,
    train: Path | None,
    dev: Path | None,
    data: Path | None,
    given: dict[str, Any],
    hub: str | None = None,
    subset: str | None = None,
) -> Iterator[tuple[Examples, dict[str, Any] | None]]:
    """The examples that are asked for, and the counts of the official set that they are of (`official_counts`).

    Those of files are built in a folder that goes away.

    Args:
        task: a kind with `train`, an official set with `data`, `train` or `hub`, else the name of a task of this
            project.
        train: file of one's own, with `hub` a split; of an official set one in its form.
        dev: another one, to score on.
        data: folder of the official set's files, those that `train` or `dev` does not name.
        given: what else is said of the task.
        hub: data set on the Hugging Face hub, DATASET or DATASET@REVISION.
        subset: its configuration.
    """
    from firth.tasks.examples.build import build
    from firth.tasks.examples.files import load
    from firth.tasks.examples.found import notes
    from firth.tasks.examples.named import official_counts

    official = task if _is_official(task) else None
    if subset is not None and hub is None:
        raise FirthError("--subset is of a data set on the hub: say which with --hub")
    if hub is not None:
        if data is not None:
            raise FirthError("--data is a folder, --hub a data set on the hub: leave one of them out")
        name, asked, root = task.rpartition("/")[2], _hub_task(task, hub, subset, train, dev, given), Path.cwd()
    elif data is not None or (official is not None and (train or dev) is not None):
        name, asked, root = task.rpartition("/")[2], _official_task(task, data, train, dev, given), Path.cwd()
    elif train is not None:
        name, asked, root = train.stem, _own_task(task, train, dev, given), Path.cwd()
    else:
        name, asked, root = task, *_configured_task(task, dev, given)
        official = None  # a task of this project may have the name of an official set
        built = root / "data" / "examples" / task
        if built.is_dir():
            yield load(built), official_counts(asked)
            return
    with tempfile.TemporaryDirectory(prefix="firth-examples-") as folder:
        for note in notes(build(name, asked, Path(folder), root)):
            print(note, file=sys.stderr, flush=True)
        yield load(Path(folder)), official_counts(asked, official)


def _is_official(task: str) -> bool:
    """Whether that names an official set, or one of GLUE's that there is not."""
    from firth.tasks.examples.named import GLUE_PREFIX, official_sets

    return task.lower() in official_sets() or task.lower().startswith(GLUE_PREFIX)


def _official_task(
    name: str, data: Path | None, train: Path | None, dev: Path | None, given: dict[str, Any]
) -> AnyTask:
    """An official set: files that are named, in its form, and the others out of its folder."""
    from firth.tasks.examples.named import SIDES, entry_of, files_of, official_set

    found = official_set(name)
    asked: dict[Side, Path | None] = {"train": train, "dev": dev}
    named = {side: path for side, path in asked.items() if path is not None}
    if data is None and train is None:
        raise FirthError(f"--task {name}: say with --train FILE or --data FOLDER where its training examples are")
    if data is not None:
        lacking = [side for side in SIDES if side not in named]
        if not lacking:
            raise FirthError("--data is for a file that neither --train nor --dev names: leave it out")
        named |= files_of(found, data, lacking)
    files: dict[str, Any] = {side: _file(path) for side, path in named.items()}
    return _task({**entry_of(found), **files, **given})


def _hub_task(
    name: str, hub: str, subset: str | None, train: Path | None, dev: Path | None, given: dict[str, Any]
) -> AnyTask:
    """An official set as the hub has it, or splits of any data set there."""
    from firth.tasks.examples.hub import pin_split
    from firth.tasks.examples.named import entry_on_hub, official_set

    if name not in KINDS:
        if train is not None or dev is not None or subset is not None:
            raise FirthError(
                f"--task {name} says itself which parts of {hub} are meant: leave --train, --dev, --subset out"
            )
        found = official_set(name)
        sides = {"train": "train", "dev": found.hub.dev}
        files = {side: pin_split(hub, found.hub.subset, split) for side, split in sides.items()}
        return _task({**entry_on_hub(found), **files, **given})
    if train is None:
        raise FirthError(f"--task {name}: say with --train which split of {hub} the examples are in, such as train")
    return _task(
        {
            "kind": name,
            "title": hub,
            "licence": "not stated",
            "attribution": "not stated",
            "train": pin_split(hub, subset, str(train)),
            "dev": None if dev is None else pin_split(hub, subset, str(dev)),
            "format": "jsonl",
            **given,
        }
    )


def _own_task(kind: str, train: Path, dev: Path | None, given: dict[str, Any]) -> AnyTask:
    if kind not in KINDS:
        raise FirthError(
            f"--task {kind}: with --train it is one of {', '.join(KINDS)}, or an official set, such as squad"
        )
    values = {
        "kind": kind,
        "title": train.name,
        "licence": "not stated",
        "attribution": "not stated",
        "train": _file(train),
        "dev": None if dev is None else _file(dev),
        "format": given.get("format") or _format(kind, train),
        **given,
    }
    return _task(values)


def _task(values: dict[str, Any]) -> AnyTask:
    from pydantic import TypeAdapter, ValidationError

    from firth.config.tasks import AnyTask

    try:
        read: AnyTask = TypeAdapter(AnyTask).validate_python(values)
    except ValidationError as error:
        raise refusal(error) from None
    return read


def _configured_task(name: str, dev: Path | None, given: dict[str, Any]) -> tuple[AnyTask, Path]:
    from firth.config import load_params
    from firth.tasks.examples.named import official_set

    here = root_or_none()
    tasks = {} if here is None else load_params(here / "params.yaml").tasks
    if name not in tasks and _is_official(name):
        official_set(name)
        raise FirthError(
            f"--task {name}: say where the official set is: --data FOLDER, --train FILE --dev FILE, or --hub DATASET"
        )
    if name in KINDS:
        raise FirthError(f"--task {name}: say with --train FILE where the examples are, or name a task of this project")
    if dev is not None or given:
        option = "dev" if dev is not None else next(iter(given))
        raise FirthError(
            f"--{option.replace('_', '-')} goes with --train; what the task {name} is stands in params.yaml"
        )
    root = here or find_root()
    if name not in tasks:
        raise FirthError(
            f"--task {name}: no task of this project ({', '.join(tasks) or 'it has none'}); for a file of your own say "
            f"--task {'|'.join(KINDS)} --train FILE"
        )
    return tasks[name], root


def _file(path: Path) -> dict[str, str]:
    from firth.canonical import file_sha256

    if not path.is_file():
        raise FirthError(f"{path}: no such file")
    return {"kind": "files", "path": str(path.resolve()), "sha256": file_sha256(path)}


def _format(kind: str, path: Path) -> str:
    if kind == "tagging":
        return "jsonl" if ".jsonl" in path.suffixes else "conll"
    for ending in path.suffixes[::-1]:
        if ending in (".csv", ".tsv", ".jsonl"):
            return ending[1:]
        if ending == ".json" and kind == "span":
            return "squad"
    raise FirthError(f"{path}: the ending does not say what it is; add --format csv, tsv or jsonl")


def refusal(error: Any) -> ConfigError:
    """One line for what pydantic found, with the option's name."""
    detail = error.errors()[0]
    place = [str(part) for part in detail["loc"] if part not in (*KINDS, "finetuning")]
    option = "--" + (place[0] if place else "task").replace("_", "-").replace("modes", "mode").replace("heads", "head")
    if detail["type"] == "extra_forbidden":
        return ConfigError(f"{option} does not go with this kind of task")
    if not place:  # what one option says does not go with what another says
        return ConfigError(detail["msg"].removeprefix("Value error, "))
    return ConfigError(f"{option} {detail['input']!r}: {detail['msg'][:1].lower()}{detail['msg'][1:]}")
