"""A task of one's own files, as params.yaml holds it, and what its examples look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from statistics import fmean
from typing import Any, get_args

from firth.canonical import file_sha256
from firth.config.tasks import AnyTask, ChoiceTask, NumberTask, PairTask, SpanTask, TaggingTask, TextTask
from firth.errors import ConfigError
from firth.packing import unpacked_name
from firth.project import from_root
from firth.records import shortened
from firth.tasks.examples.files import Example, texts_of
from firth.tasks.examples.source import find_file

MODELS: dict[str, type[AnyTask]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model
    for model in (TextTask, PairTask, SpanTask, TaggingTask, NumberTask, ChoiceTask)
}
"""The parameters of each kind of task."""

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""Formats of records by the ending of a file's name, behind that of its compression."""


Pin = Callable[[str], dict[str, Any]]
"""The entry of a file, or of a split, by its name."""


def describe_task(
    kind: str,
    train: str,
    dev: str | None,
    root: Path,
    given: Mapping[str, Any],
    format_: str | None = None,
    pin: Pin | None = None,
) -> dict[str, Any]:
    """The entry of a new task of local files, pinned; paths are as seen from the current folder.

    Args:
        kind: text, pair, span, tagging, number or choice.
        train: file to train heads on.
        dev: file to score on; None: a share of `train`.
        root: the project folder.
        given: other parameters; those that are None are left to their defaults.
        format_: of the files; None: by their endings.
        pin: what pins `train` and `dev` where they are no local files; they are then JSON Lines unless `format_` says
            otherwise.

    Raises:
        ConfigError: an unknown kind, a parameter that this kind has not, or files whose format cannot be told.
        DataError: no such file.
    """
    if kind not in MODELS:
        raise ConfigError(f"--task {kind}: there are {', '.join(MODELS)}")
    entry: dict[str, Any] = {"kind": kind}
    for key, value in given.items():
        if value is None:
            continue
        if key not in MODELS[kind].model_fields:
            kinds = [other for other, model in MODELS.items() if key in model.model_fields]
            raise ConfigError(f"--{key.replace('_', '-')} is for {_listed(kinds)} tasks, not for {kind}")
        entry[key] = value
    sides = {"train": train, **({} if dev is None else {"dev": dev})}
    for side, name in sides.items():
        entry[side] = pin_file(from_root(name, root), root) if pin is None else pin(name)
    entry["format"] = format_ or (_guessed(kind, list(sides.values())) if pin is None else "jsonl")
    return entry


def pin_file(path: str, root: Path) -> dict[str, str]:
    """The parameters of one local file as it is now; `path` is relative to the project or absolute."""
    return {"kind": "files", "path": path, "sha256": file_sha256(find_file(path, root))}


def counted(examples: list[Example]) -> dict[str, int]:
    """How many examples have each label (or right ending), or how many entities (or words) each tag.

    The most frequent ones are first.
    """
    found: Counter[str] = Counter()
    for example in examples:
        if "label" in example:
            found[f"ending{example['label']}" if "endings" in example else example["label"]] += 1
        tags = example.get("tags", [])
        begun = [tag[2:] for tag in tags if tag.startswith("B-")]
        found.update(begun or (tag for tag in tags if tag != "O"))
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def spread(examples: list[Example]) -> str:
    """Least, greatest and mean number of examples that have one; nothing for others."""
    numbers = [example["score"] for example in examples if "score" in example]
    return f"{min(numbers):g} to {max(numbers):g}, mean {fmean(numbers):.2f}" if numbers else ""


def shown(example: Example, task: AnyTask) -> str:
    """One example on a line: what is asked and what is expected."""
    texts = " | ".join(shortened(text) for text in texts_of(example, task.kind))
    if isinstance(task, SpanTask):
        expected = " / ".join(answer["text"] for answer in example["answers"])
    elif isinstance(task, TaggingTask):
        tagged = zip(example["tokens"], example["tags"], strict=True)
        expected = " ".join(f"{word}/{tag}" for word, tag in tagged if tag != "O") or "no entity"
    elif isinstance(task, NumberTask):
        expected = f"{example['score']:g}"
    elif isinstance(task, ChoiceTask):
        expected = example["endings"][example["label"]]
    else:
        expected = example["label"]
    return f"{texts} → {shortened(expected)}"


def _listed(kinds: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(kinds[:-1]), *kinds[-1:]]))


def _guessed(kind: str, paths: list[str]) -> str:
    if kind == "tagging":
        lines = all(unpacked_name(PurePath(path).name).endswith((".jsonl", ".ndjson")) for path in paths)
        return "jsonl" if lines else "conll"
    found = {}
    formats = FORMATS | ({".json": "squad"} if kind == "span" else {})
    for path in paths:
        ending = PurePath(unpacked_name(PurePath(path).name)).suffix.lower()
        if ending not in formats:
            listed = ", ".join(dict.fromkeys(formats.values()))
            raise ConfigError(
                f"{path}: no format goes with the ending {ending or '(none)'!r}; name it with --format ({listed})"
            )
        found[formats[ending]] = path
    if len(found) > 1:
        raise ConfigError(
            f"both files have one format: {', '.join(f'{path} is {kind}' for kind, path in found.items())}"
        )
    return next(iter(found))
