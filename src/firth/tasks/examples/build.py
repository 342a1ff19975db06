"""The examples of one task: its files read, split, cut to subsets and checked for what a score needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firth.config.tasks import AnyFile, AnyTask, ChoiceTask, NumberTask, PairTask, SpanTask, TaggingTask, TextTask
from firth.errors import DataError
from firth.packing import ByteCount, Input, unpacked
from firth.tasks.examples.conll import read_tagged
from firth.tasks.examples.files import Example, write
from firth.tasks.examples.found import Found, InFile, LeftOut
from firth.tasks.examples.glue import read_glue
from firth.tasks.examples.readers import read_choices, read_numbers, read_pairs, read_spans, read_texts
from firth.tasks.examples.sides import check_sides
from firth.tasks.examples.source import open_file
from firth.tasks.examples.split import by_group, repeated, subset, without_dev_texts
from firth.tasks.examples.squad import read_squad
from firth.tasks.examples.tagged import read_tagged_records

MOST_SINGLE_LABELS = 10
"""More labels than this, most of them on one example only, are no labels but texts or numbers."""


def build(name: str, task: AnyTask, folder: Path, root: Path) -> dict[str, Any]:
    """Write `train.jsonl`, `dev.jsonl` and `manifest.json` of task `name` to `folder`; the manifest.

    With a dev file each file is a side; else groups are parted by hash. Train examples that repeat a dev text are left
    out, unless `keep_repeats` says otherwise. The same files, parameters and seed give the same bytes, whatever the
    order of the examples in the files.

    Args:
        name: of the task, which leads the ids of its examples.
        task: its parameters.
        folder: where to write; made if it is missing.
        root: the project folder, for relative paths of local files.

    Raises:
        FirthError: a file is missing, not the pinned one, or holds something that cannot be used (file and line are
            named); or a side is empty, or labels are too few or unknown.
    """
    left_out = LeftOut()
    train_file = dev_file = _read(name, task, task.train, root, left_out)
    if task.dev is None:
        train, dev = by_group(train_file.found, task.dev_share)
        if not train or not dev:
            raise _one_sided(name, task, train_file, "dev" if train else "train", left_out)
    else:
        dev_file = _read(name, task, task.dev, root, left_out)
        check_sides(name, task, train_file, dev_file)
        train, dev = ([item.example for item in file.found] for file in (train_file, dev_file))
    repeats = 0
    if task.keep_repeats:
        repeats = repeated(train, dev, task.kind)
    else:
        train = without_dev_texts(train, dev, task.kind, left_out)
    for side, examples, file in (("train", train, train_file), ("dev", dev, dev_file)):
        if not examples:
            raise DataError(f"tasks.{name}: no example is left on the {side} side{_said(left_out)}", file.where)
    sides = {
        "train": subset(train, task.train_examples, task.seed, name),
        "dev": subset(dev, task.dev_examples, task.seed, name),
    }
    return write(
        folder,
        sides,
        {
            "task": name,
            "kind": task.kind,
            "title": task.title,
            "licence": task.licence,
            "attribution": task.attribution,
            "metric": task.metric,
            "published": task.published,
            "length": task.length,
            **_how_read(task),
            "labels": _labels(name, task, train, dev_file, **sides),
            "source_sha256": _pins(task),
            "available": {"train": len(train), "dev": len(dev)},
            "left_out": left_out.table(),
            **({"repeats": repeats} if repeats else {}),
        },
    )


def _read(name: str, task: AnyTask, file: AnyFile, root: Path, left_out: LeftOut) -> InFile:
    source = open_file(name, task, file, root)
    before = len(left_out)
    found = list(_found(source, task, left_out))
    if not found and len(left_out) == before:
        raise DataError(f"tasks.{name}: no example is there, at most a header; give a file of examples", source.where)
    return InFile(source.where, found)


def _found(source: Input, task: AnyTask, left_out: LeftOut) -> Iterator[Found]:
    with unpacked(source, ByteCount(source.size)) as stream:
        if not stream.peek(1):
            raise DataError("empty file", source.where)
        match task:
            case TextTask(format="glue") | PairTask(format="glue") | NumberTask(format="glue"):
                yield from read_glue(stream, source, task, left_out)
            case TextTask():
                yield from read_texts(stream, source, task, left_out)
            case PairTask():
                yield from read_pairs(stream, source, task, left_out)
            case SpanTask(format="squad"):
                yield from read_squad(stream, source, task, left_out)
            case SpanTask():
                yield from read_spans(stream, source, task, left_out)
            case TaggingTask(format="jsonl"):
                yield from read_tagged_records(stream, source, task)
            case TaggingTask():
                yield from read_tagged(stream, source, task)
            case NumberTask():
                yield from read_numbers(stream, source, task, left_out)
            case ChoiceTask():
                yield from read_choices(stream, source, task, left_out)


def _labels(
    name: str, task: AnyTask, whole: list[Example], dev_file: InFile, train: list[Example], dev: list[Example]
) -> list[str]:
    """The labels or tags of both sides, sorted; none where answers are spans, numbers or endings.

    `whole` is the train side before it was cut to its subset, `dev_file` where the dev side is from.

    Raises:
        DataError: fewer than two in training, one in dev that training has not, one listed that does not occur, or so
            many that they are no labels; or all numbers of a side are one.
    """
    if isinstance(task, NumberTask):
        _check_numbers(name, train=train, dev=dev)
    if isinstance(task, SpanTask | NumberTask | ChoiceTask):
        return []
    known, asked = (_in_side(side, tagged=isinstance(task, TaggingTask)) for side in (train, dev))
    what = "tag" if isinstance(task, TaggingTask) else "label"
    if isinstance(task, TextTask | PairTask):
        for label in task.labels:
            if label not in known:
                there = ", ".join(sorted(known)[:20]) or "none"
                raise DataError(f"tasks.{name}.labels: no training example has {label!r}; there are: {there}")
    if len(known) < 2:
        only = f" ({next(iter(known))!r})"
        raise DataError(f"tasks.{name}: {len(train)} training examples have one {what}{only}; two are the least")
    if what == "label" and len(known) > max(MOST_SINGLE_LABELS, len(train) / 2):
        raise DataError(
            f"tasks.{name}.label_field: {len(known)} different values in {len(train)} examples are no labels; such as "
            f"{', '.join(map(repr, sorted(known)[:3]))}"
        )
    if unknown := sorted(asked - known):
        raise _unknown(name, task, what, unknown, known, whole, dev_file)
    return sorted(known)


def _unknown(
    name: str,
    task: AnyTask,
    what: str,
    unknown: list[str],
    known: set[str],
    whole: list[Example],
    dev_file: InFile,
) -> DataError:
    """What no training example has, where it first stands in the file, and what helps."""
    tagged = isinstance(task, TaggingTask)
    line = next((item.line for item in dev_file.found if _in_side([item.example], tagged=tagged) & {*unknown}), None)
    if _in_side(whole, tagged=tagged) >= {*unknown}:
        remedy = f"the {len(whole)} of the train side have it: give more train_examples than {task.train_examples}"
    elif task.dev is None:
        remedy = "give more examples, another dev_share, or a dev file"
    else:
        listed = "" if tagged else ", list the labels that count (labels)"
        remedy = f"correct it{listed}, or add such examples to the train file"
    return DataError(
        f"tasks.{name}: the dev side has the {what} {', '.join(map(repr, unknown[:5]))}, which no training example "
        f"has ({', '.join(sorted(known)[:20])}); {remedy}",
        dev_file.where,
        line,
    )


def _check_numbers(name: str, **sides: list[Example]) -> None:
    for side, examples in sides.items():
        if len(found := {example["score"] for example in examples}) < 2:
            raise DataError(
                f"tasks.{name}: the {side} side has {len(examples)} examples and one number ({found.pop():g}); a "
                "correlation needs two different ones"
            )


def _in_side(examples: list[Example], *, tagged: bool) -> set[str]:
    if not tagged:
        return {example["label"] for example in examples}
    tags = {tag for example in examples for tag in example["tags"]}
    # Of an entity's type both tags count as known: whether one of two words occurs in a small sample is chance.
    kinds = {tag[2:] for tag in tags if tag[:2] in ("B-", "I-")}
    return tags | {f"{prefix}-{kind}" for kind in kinds for prefix in "BI"}


def _how_read(task: AnyTask) -> dict[str, Any]:
    """What the usages have to know besides the length; nothing where examples are read one by one, in one piece."""
    if isinstance(task, SpanTask) and task.doc_stride is not None:
        return {"doc_stride": task.doc_stride, "query_length": task.query_length}
    if isinstance(task, TaggingTask):
        wanted = {"document_context": task.document_context, "pieces": task.pieces == "x" and task.pieces}
        return {key: value for key, value in wanted.items() if value}
    return {}


def _pins(task: AnyTask) -> str:
    """The pin of the file; of two files the sha256 of both pins, a line each."""
    if task.dev is None:
        return task.train.sha256
    return hashlib.sha256(f"{task.train.sha256}\n{task.dev.sha256}\n".encode()).hexdigest()


def _one_sided(name: str, task: AnyTask, file: InFile, side: str, left_out: LeftOut) -> DataError:
    count = len({item.group for item in file.found})
    groups = "1 group" if count == 1 else f"{count} groups"
    if not count:
        return DataError(f"tasks.{name}: no example is left{_said(left_out)}", file.where)
    return DataError(
        f"tasks.{name}: of {len(file.found)} examples in {groups} none is on the {side} side (dev_share "
        f"{task.dev_share}); give more examples, another dev_share or a dev file",
        file.where,
    )


def _said(left_out: LeftOut) -> str:
    reasons = "; ".join(f"{row['examples']}: {row['reason']}" for row in left_out.table())
    return f" (left out: {reasons})" if reasons else ""
