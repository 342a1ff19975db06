"""The whole of `params.yaml`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from firth.choices import BERT_SUITES, WORD_SUITES
from firth.config.base import Section
from firth.config.bert import Bert, Tokenize, WordPiece
from firth.config.corpora import Corpora
from firth.config.evaluation import Gate, Report, WordTasks
from firth.config.tasks import Tasks
from firth.config.text import Prepare, Validation, Words
from firth.config.usages import Evaluation
from firth.config.word2vec import Word2Vec


class Params(Section):
    """One field a section; the order is the order of the pipeline."""

    preset: str = Field(description="The preset this file was written from.")
    corpora: Corpora
    tasks: Tasks
    validation: Validation = Validation()
    prepare: Prepare = Prepare()
    words: Words = Words()
    word2vec: Word2Vec = Word2Vec()
    word_tasks: WordTasks
    wordpiece: WordPiece = WordPiece()
    tokenize: Tokenize = Tokenize()
    bert: Bert = Bert()
    evaluation: Evaluation = Evaluation()
    report: Report
    gate: Gate

    @model_validator(mode="after")
    def _suites_exist(self) -> Self:
        for kind, own in (("word2vec", WORD_SUITES), ("bert", BERT_SUITES)):
            known = [*own, *self.tasks]
            for suite in getattr(self.gate, kind).suites:
                if suite not in known:
                    raise ValueError(
                        f"gate.{kind}.suites: {suite} is neither a suite nor a task; there are: {', '.join(known)}"
                    )
        return self

    @model_validator(mode="after")
    def _task_names_are_free(self) -> Self:
        for name in (*WORD_SUITES, *BERT_SUITES, "words"):
            if name in self.tasks:
                raise ValueError(f"tasks.{name}: the name is taken by a suite of its own; choose another")
        return self
