"""What Devlin et al. (2019) published, for the data sets by the same name: tables 1, 2, 4 and 7 of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PAPER = "Devlin, Chang, Lee and Toutanova (2019), BERT: Pre-training of Deep Bidirectional Transformers"


@dataclass(frozen=True)
class Column:
    """One column of scores: of which official set (as `firth score` calls it) and side, in which metric of ours."""

    name: str
    of: str
    metric: str
    score: str
    side: Literal["dev", "test"] | None


@dataclass(frozen=True)
class Table:
    """One table as printed; `None` stands where the paper has a dash. Scores are times 100.

    `averages` are the rows' last column, where the table has one: the mean of all others.
    """

    number: int
    family: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[str | None, ...]], ...]
    averages: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where it stands."""
        return f"{PAPER}, table {self.number}"


def _glue(name: str, metric: str, score: str) -> Column:
    return Column(name, f"glue/{name.lower()}", metric, score, "test")


GLUE = Table(
    1,
    "glue",
    "GLUE",
    (
        _glue("MNLI-m", "accuracy", "accuracy"),
        _glue("MNLI-mm", "accuracy", "accuracy"),
        _glue("QQP", "f1", "F1"),
        _glue("QNLI", "accuracy", "accuracy"),
        _glue("SST-2", "accuracy", "accuracy"),
        _glue("CoLA", "matthews", "Matthews"),
        _glue("STS-B", "spearman", "Spearman"),
        _glue("MRPC", "f1", "F1"),
        _glue("RTE", "accuracy", "accuracy"),
    ),
    (
        ("Pre-OpenAI SOTA", ("80.6", "80.1", "66.1", "82.3", "93.2", "35.0", "81.0", "86.0", "61.7")),
        ("BiLSTM+ELMo+Attn", ("76.4", "76.1", "64.8", "79.8", "90.4", "36.0", "73.3", "84.9", "56.8")),
        ("OpenAI GPT", ("82.1", "81.4", "70.3", "87.4", "91.3", "45.4", "80.0", "82.3", "56.0")),
        ("BERT base", ("84.6", "83.4", "71.2", "90.5", "93.5", "52.1", "85.8", "88.9", "66.4")),
        ("BERT large", ("86.7", "85.9", "72.1", "92.7", "94.9", "60.5", "86.5", "89.3", "70.1")),
    ),
    ("74.0", "71.0", "75.1", "79.6", "82.1"),
)

SQUAD = Table(
    2,
    "squad",
    "SQuAD 1.1",
    (
        Column("dev EM", "squad", "exact", "exact match", "dev"),
        Column("dev F1", "squad", "f1", "F1 of words", "dev"),
        Column("test EM", "squad", "exact", "exact match", "test"),
        Column("test F1", "squad", "f1", "F1 of words", "test"),
    ),
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
    "swag",
    "SWAG",
    (
        Column("dev", "swag", "accuracy", "accuracy", "dev"),
        Column("test", "swag", "accuracy", "accuracy", "test"),
    ),
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
    "conll2003",
    "CoNLL-2003, named entities",
    (
        Column("dev", "conll2003", "entity_f1", "F1 of names", "dev"),
        Column("test", "conll2003", "entity_f1", "F1 of names", "test"),
    ),
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

TABLES = (GLUE, SQUAD, CONLL, SWAG)
