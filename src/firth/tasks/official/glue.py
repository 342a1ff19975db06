"""GLUE in one table (Wang et al. 2019): files, labels, sizes and metrics of its tasks, and its average.

The leaderboard averages nine tasks, each the mean of its metrics, MNLI the mean of its two sets. `ax`, the diagnostic
set, is part of a submission and of no average.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Side = Literal["train", "dev", "test"]

BINARY = ("0", "1")
ENTAILMENT = ("entailment", "not_entailment")
INFERENCE = ("entailment", "neutral", "contradiction")
SCORE_RANGE = (0.0, 5.0)
"""Of STS-B's scores."""

_SENTENCES = ("sentence1", "sentence2")
_PARSES = ("sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse", "sentence2_parse")
_MNLI = ("index", "promptID", "pairID", "genre", *_PARSES, *_SENTENCES)
_STSB = ("index", "genre", "filename", "year", "old_index", "source1", "source2", *_SENTENCES)
_MRPC = ("#1 ID", "#2 ID", "#1 String", "#2 String")


@dataclass(frozen=True)
class GlueTask:
    """One set. `labels` is empty where a number is asked; `columns` are the official headers by side.

    CoLA's train and dev files have no header line: their columns are named here only. `file` is the name of a
    submission's file; the dev file lies at `folder/dev.tsv` in the official distribution.
    """

    name: str
    title: str
    texts: tuple[str, ...]
    label: str
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: Mapping[Side, int]
    columns: Mapping[Side, tuple[str, ...]]
    file: str
    folder: str
    dev: str = "dev"
    index: str = "index"
    header: bool = True
    broken_lines: bool = False
    """Official QQP has questions with a line break, so that some of its lines are parts of a record."""


def _task(
    title: str,
    texts: tuple[str, ...],
    labels: tuple[str, ...],
    metrics: tuple[str, ...],
    rows: tuple[int, int, int],
    labelled: tuple[str, ...],
    test: tuple[str, ...],
    *,
    label: str = "label",
    index: str = "index",
    header: bool = True,
    broken_lines: bool = False,
) -> GlueTask:
    columns: dict[Side, tuple[str, ...]] = {"train": labelled, "dev": labelled, "test": test}
    sizes: dict[Side, int] = {"train": rows[0], "dev": rows[1], "test": rows[2]}
    return GlueTask(
        title.lower(), title, texts, label, labels, metrics, sizes, columns, f"{title}.tsv", title,
        index=index, header=header, broken_lines=broken_lines,
    )  # fmt: skip


def _mnli(ending: str, dev: str, rows: tuple[int, int]) -> GlueTask:
    """MNLI has one train file and two dev and test files, whose headers differ."""
    votes = tuple(f"label{number}" for number in range(1, 6))
    return GlueTask(
        f"mnli-{ending}", f"MNLI-{ending}", _SENTENCES, "gold_label", INFERENCE, ("accuracy",),
        {"train": 392_702, "dev": rows[0], "test": rows[1]},
        {"train": (*_MNLI, "label1", "gold_label"), "dev": (*_MNLI, *votes, "gold_label"), "test": _MNLI},
        f"MNLI-{ending}.tsv", "MNLI", dev=dev,
    )  # fmt: skip


_PAIR = ("index", *_SENTENCES)
_QUESTIONS = ("question1", "question2")

TASKS: dict[str, GlueTask] = {
    task.name: task
    for task in (
        _task("CoLA", ("sentence",), BINARY, ("matthews",), (8_551, 1_043, 1_063),
              ("source", "label", "mark", "sentence"), ("index", "sentence"), header=False),
        _task("SST-2", ("sentence",), BINARY, ("accuracy",), (67_349, 872, 1_821),
              ("sentence", "label"), ("index", "sentence")),
        _task("MRPC", _MRPC[2:], BINARY, ("accuracy", "f1"), (3_668, 408, 1_725),
              ("Quality", *_MRPC), ("index", *_MRPC), label="Quality"),
        _task("STS-B", _SENTENCES, (), ("pearson", "spearman"), (5_749, 1_500, 1_379),
              (*_STSB, "score"), _STSB, label="score"),
        _task("QQP", _QUESTIONS, BINARY, ("accuracy", "f1"), (363_846, 40_430, 390_965),
              ("id", "qid1", "qid2", *_QUESTIONS, "is_duplicate"), ("id", *_QUESTIONS),
              label="is_duplicate", index="id", broken_lines=True),
        _mnli("m", "dev_matched", (9_815, 9_796)),
        _mnli("mm", "dev_mismatched", (9_832, 9_847)),
        _task("QNLI", ("question", "sentence"), ENTAILMENT, ("accuracy",), (104_743, 5_463, 5_463),
              ("index", "question", "sentence", "label"), ("index", "question", "sentence")),
        _task("RTE", _SENTENCES, ENTAILMENT, ("accuracy",), (2_490, 277, 3_000), (*_PAIR, "label"), _PAIR),
        _task("WNLI", _SENTENCES, BINARY, ("accuracy",), (635, 71, 146), (*_PAIR, "label"), _PAIR),
        GlueTask("ax", "AX", _SENTENCES, "label", INFERENCE, ("matthews",), {"test": 1_104}, {"test": _PAIR},
                 "AX.tsv", "AX"),
    )
}  # fmt: skip

PAPER_METRICS = {
    "mnli-m": "accuracy", "mnli-mm": "accuracy", "qqp": "f1", "qnli": "accuracy", "sst-2": "accuracy",
    "cola": "matthews", "sts-b": "spearman", "mrpc": "f1", "rte": "accuracy",
}  # fmt: skip
"""What table 1 of Devlin et al. (2019) gives of each set; its average is the mean of these nine columns."""


def task_score(task: GlueTask, scores: Mapping[str, float]) -> float:
    """The mean of the task's metrics."""
    return sum(scores[metric] for metric in task.metrics) / len(task.metrics)


def averages(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """GLUE's averages of `{task: {metric: score}}`, each only where all of its tasks are there.

    Returns:
        `average` (the leaderboard's nine tasks), `average_without_wnli` (eight of them) and `average_of_the_bert_paper`
        (nine columns, one metric each, MNLI's two apart, without WNLI).
    """
    found = {name: task_score(TASKS[name], given) for name, given in scores.items()}
    if {"mnli-m", "mnli-mm"} <= found.keys():
        found["mnli"] = (found["mnli-m"] + found["mnli-mm"]) / 2
    eight = ("cola", "sst-2", "mrpc", "sts-b", "qqp", "mnli", "qnli", "rte")
    averaged: dict[str, float] = {}
    for name, tasks in (("average", (*eight, "wnli")), ("average_without_wnli", eight)):
        if found.keys() >= set(tasks):
            averaged[name] = sum(found[task] for task in tasks) / len(tasks)
    if scores.keys() >= PAPER_METRICS.keys():
        columns = [scores[task][metric] for task, metric in PAPER_METRICS.items()]
        averaged["average_of_the_bert_paper"] = sum(columns) / len(columns)
    return averaged
