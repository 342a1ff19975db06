"""What Devlin et al. (2019) published, for the data sets by the same name: tables 1, 2, 4 and 7 of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PAPER = "Devlin, Chang, Lee and Toutanova (2019), BERT: Pre-training of Deep Bidirectional Transformers"


@dataclass(frozen=True)
class Table:
    """One table as printed; `None` stands where the paper has a dash. Scores are times 100."""

    number: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str | None, ...]], ...]


SYSTEMS = ("Pre-OpenAI SOTA", "BiLSTM+ELMo+Attn", "OpenAI GPT", "BERT base", "BERT large")

GLUE = {
    "mnli": (
        "MNLI, matched / mismatched",
        "accuracy",
        ("80.6/80.1", "76.4/76.1", "82.1/81.4", "84.6/83.4", "86.7/85.9"),
    ),
    "qqp": ("QQP", "F1", ("66.1", "64.8", "70.3", "71.2", "72.1")),
    "qnli": ("QNLI", "accuracy", ("82.3", "79.8", "87.4", "90.5", "92.7")),
    "sst-2": ("SST-2", "accuracy", ("93.2", "90.4", "91.3", "93.5", "94.9")),
    "cola": ("CoLA", "Matthews correlation", ("35.0", "36.0", "45.4", "52.1", "60.5")),
    "sts-b": ("STS-B", "Spearman correlation", ("81.0", "73.3", "80.0", "85.8", "86.5")),
    "mrpc": ("MRPC", "F1", ("86.0", "84.9", "82.3", "88.9", "89.3")),
    "rte": ("RTE", "accuracy", ("61.7", "56.8", "56.0", "66.4", "70.1")),
}
"""Table 1, GLUE's test server: title, metric, and a score for each of SYSTEMS."""

SQUAD = Table(
    2,
    "SQuAD 1.1",
    ("dev EM", "dev F1", "test EM", "test F1"),
    (
        ("Human", (None, None, "82.3", "91.2")),
        ("#1 ensemble, nlnet", (None, None, "86.0", "91.7")),
        ("#2 ensemble, QANet", (None, None, "84.5", "90.5")),
        ("BiDAF+ELMo (single)", (None, "85.6", None, "85.8")),
        ("R.M. Reader (ensemble)", ("81.2", "87.9", "82.3", "88.5")),
        ("BERT base (single)", ("80.8", "88.5", None, None)),
        ("BERT large (single)", ("84.1", "90.9", None, None)),
        ("BERT large (ensemble)", ("85.8", "91.8", None, None)),
        ("BERT large (single, + TriviaQA)", ("84.2", "91.1", "85.1", "91.8")),
        ("BERT large (ensemble, + TriviaQA)", ("86.2", "92.2", "87.4", "93.2")),
    ),
)

SWAG = Table(
    4,
    "SWAG",
    ("dev accuracy", "test accuracy"),
    (
        ("ESIM+GloVe", ("51.9", "52.7")),
        ("ESIM+ELMo", ("59.1", "59.2")),
        ("OpenAI GPT", (None, "78.0")),
        ("BERT base", ("81.6", None)),
        ("BERT large", ("86.6", "86.3")),
        ("Human (expert)", (None, "85.0")),
        ("Human (5 annotations)", (None, "88.0")),
    ),
)

CONLL = Table(
    7,
    "CoNLL-2003, named entities",
    ("dev F1", "test F1"),
    (
        ("ELMo", ("95.7", "92.2")),
        ("CVT", (None, "92.6")),
        ("CSE", (None, "93.1")),
        ("BERT large, fine-tuned", ("96.6", "92.8")),
        ("BERT base, fine-tuned", ("96.4", "92.4")),
        ("BERT base, frozen: embeddings", ("91.0", None)),
        ("BERT base, frozen: second-to-last layer", ("95.6", None)),
        ("BERT base, frozen: last layer", ("94.9", None)),
        ("BERT base, frozen: weighted sum of the last four", ("95.9", None)),
        ("BERT base, frozen: last four concatenated", ("96.1", None)),
        ("BERT base, frozen: weighted sum of all twelve", ("95.5", None)),
    ),
)

TABLES = {"squad-1.1": SQUAD, "swag": SWAG, "conll-2003": CONLL}


def published(name: str) -> dict[str, Any] | None:
    """The table for the data set called `name` in `tasks.T.published`, as JSON values; None for a set of one's own."""
    if name in GLUE:
        title, metric, scores = GLUE[name]
        rows = tuple((system, (score,)) for system, score in zip(SYSTEMS, scores, strict=True))
        table = Table(1, title, (f"test {metric}",), rows)
    elif name in TABLES:
        table = TABLES[name]
    else:
        return None
    return {
        "source": f"{PAPER}, table {table.number}",
        "title": table.title,
        "columns": list(table.columns),
        "rows": [{"system": system, "scores": list(scores)} for system, scores in table.rows],
    }
