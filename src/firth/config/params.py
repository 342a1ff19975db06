"""The whole of `params.yaml`."""

from __future__ import annotations

from pydantic import Field

from firth.config.base import Section
from firth.config.corpora import Corpora
from firth.config.evaluation import Gate, Report, WordTasks
from firth.config.text import Prepare, Validation, Words
from firth.config.word2vec import Word2Vec


class Params(Section):
    """One field a section; the order is the order of the pipeline."""

    preset: str = Field(description="The preset this file was written from.")
    corpora: Corpora
    validation: Validation = Validation()
    prepare: Prepare = Prepare()
    words: Words = Words()
    word2vec: Word2Vec = Word2Vec()
    word_tasks: WordTasks
    report: Report
    gate: Gate
