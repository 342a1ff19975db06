"""`word_tasks`, `report` and `gate`: what is measured, shown and demanded."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from firth.config.base import Section, Seed
from firth.config.corpora import Sha256
from firth.config.word2vec import ModelName

WordList = Annotated[list[str], Field(min_length=1)]
Pair = Annotated[tuple[str, str], Field(strict=False)]
Suite = Literal["analogies", "wordsim353", "simlex999"]


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
    map_words: int = Field(default=400, ge=20, le=5000, description="Frequent words on the 2-D map.")
    seed: Seed = 1


class Demand(Section):
    """What one suite demands of a model before it may become champion."""

    minimum: float = Field(description="Smallest score a champion may have.")
    max_loss: float = Field(default=0.02, ge=0.0, description="How far a challenger may fall below the champion.")


class Gate(Section):
    """The promotion policy, the same for every word2vec model."""

    models: list[ModelName] = Field(
        default=["skipgram", "cbow"], min_length=1, description="Models that are offered for promotion."
    )
    suites: dict[Suite, Demand] = Field(min_length=1)
    decisive: Suite = Field(description="The suite on which a challenger must gain.")
    min_gain: float = Field(
        default=0.0,
        ge=0.0,
        description="Gain over the champion on the decisive suite, in points of its score.",
    )
    require_validation: bool = Field(
        default=True, description="Every corpus behind the model must have passed validation."
    )

    @model_validator(mode="after")
    def _decisive_is_a_suite(self) -> Self:
        if self.decisive not in self.suites:
            raise ValueError(
                f"decisive names {self.decisive}, which is not among the suites ({', '.join(self.suites)})"
            )
        return self
