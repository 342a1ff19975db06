"""GLUE's metrics of a file of predictions, and of a folder of them with the averages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firth.errors import DataError
from firth.packing import ENDINGS
from firth.tasks.measures import classes, correlations
from firth.tasks.official.glue import TASKS, GlueTask, averages, task_score
from firth.tasks.official.glue_files import GlueFile, read_gold
from firth.tasks.official.predictions import beside, read_predictions
from firth.tasks.official.results import Result

POSITIVE = "1"
"""The label whose F1 MRPC and QQP ask for."""


def score_file(task: GlueTask, gold: Path, predictions: Path) -> Result:
    """The task's metrics of one file of predictions, and their mean, `score`.

    Raises:
        DataError: a file is not what it should be, or their rows do not match.
    """
    return score_glue(read_gold(gold, task), predictions)


def score_glue(gold: GlueFile, predictions: Path) -> Result:
    """As `score_file`, with gold as it was read."""
    task = gold.task
    read = read_predictions(predictions, task.labels)
    joined, by = beside([(row.index, row.label or "") for row in gold.rows], read, gold.where)
    expected, predicted = [label for _, label, _ in joined], [guess for _, _, guess in joined]
    scores, notes = metrics(task, expected, predicted)
    return Result(
        scorer=f"glue/{task.name}",
        scores={**scores, "score": task_score(task, scores)},
        counts={"examples": len(joined), "right": sum(a == b for a, b in zip(expected, predicted, strict=True))}
        if task.labels
        else {"examples": len(joined)},
        notes=[*gold.notes(), f"joined by {by}", *notes],
        each=[{"index": index, "expected": label, "predicted": guess} for index, label, guess in joined],
    )


def metrics(task: GlueTask, expected: Sequence[str], predicted: Sequence[str]) -> tuple[dict[str, float], list[str]]:
    """The task's official metrics in percent, by name, and remarks; numbers come as text."""
    if task.labels:
        measured = classes.measures(expected, predicted, positive=POSITIVE if "f1" in task.metrics else None)
        constant = len(set(predicted)) == 1 and len(predicted) > 1
        notes = [f"every prediction is {predicted[0]!r}"] if constant else []
        return {name: 100 * measured[name].score for name in task.metrics}, notes
    numbers = [[float(text) for text in side] for side in (expected, predicted)]
    correlated = correlations.measures(*numbers)
    flat = any(len(set(side)) == 1 for side in numbers)
    notes = ["all predictions or all gold scores are equal: no correlation is defined, 0 stands for it"] if flat else []
    return {name: 100 * correlated[name].score for name in task.metrics}, notes


@dataclass(frozen=True)
class ScoredFile:
    """One task's result and the files that it is of."""

    result: Result
    gold: Path
    pred: Path


@dataclass(frozen=True)
class ScoredFolder:
    """The results by task, and the whole: its scores are the tasks' and the averages that they suffice for."""

    tasks: dict[str, ScoredFile]
    whole: Result


def score_folder(gold: Path, predictions: Path) -> ScoredFolder:
    """Every set whose predictions lie in a folder (`CoLA.tsv`, …) on the dev files of GLUE's folder.

    Raises:
        DataError: no predictions, no dev file or several for some, or an error of one file.
    """
    found: dict[str, ScoredFile] = {}
    lacking = []
    for task in (task for task in TASKS.values() if "dev" in task.rows):
        given = _packed(predictions, task.file)
        if given is None:
            lacking.append(task.file)
            continue
        right = dev_file(gold, task)
        found[task.name] = ScoredFile(score_file(task, right, given), right, given)
    if not found:
        raise DataError(f"no predictions; expected files such as {', '.join(lacking[:3])}", predictions)
    means = averages({name: scored.result.scores for name, scored in found.items()})
    notes = [f"{name}: {note}" for name, scored in found.items() for note in scored.result.notes]
    if lacking:
        notes.append(f"no predictions: {', '.join(lacking)}")
    if "average" not in means:
        notes.append("GLUE's average needs all nine tasks")
    scores = {name: scored.result.scores["score"] for name, scored in found.items()} | means
    return ScoredFolder(found, Result("glue", scores, {"tasks": len(found)}, notes))


def dev_file(folder: Path, task: GlueTask) -> Path:
    """The dev file of `task` in GLUE's folder: `MRPC/dev.tsv`, packed or not, or else the one that starts so.

    Raises:
        DataError: there is none, or there are several.
    """
    exact = _packed(folder / task.folder, f"{task.dev}.tsv")
    if exact is not None:
        return exact
    like = sorted((folder / task.folder).glob(f"{task.dev}*.tsv*"))
    if len(like) != 1:
        expected = f"{task.folder}/{task.dev}.tsv"
        found = f"found {', '.join(path.name for path in like)}" if like else "no such file"
        raise DataError(f"expected {expected}, plain or packed; {found}", folder)
    return like[0]


def _packed(folder: Path, name: str) -> Path | None:
    return next((path for end in ("", *ENDINGS) if (path := folder / f"{name}{end}").is_file()), None)
