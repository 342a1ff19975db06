"""`word2vec`: Mikolov et al. (2013a, 2013b), skip-gram and CBOW with negative sampling."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from firth.choices import Backend, ModelName, Objective
from firth.config.base import Section, Seed


class Recipe(Section):
    """What differs between the two models: CBOW averages its contexts and so wants a larger learning rate."""

    learning_rate: float = Field(
        gt=0.0, le=1.0, description="Starting learning rate; decays linearly with the words seen."
    )
    epochs: int = Field(ge=1, le=1000, description="Passes over the corpus.")


class Subwords(Section):
    """Character n-grams (Bojanowski et al., 2017): an input vector is the mean of the word's row and its n-grams'."""

    buckets: int = Field(
        default=0, ge=0, le=20_000_000, description="Rows that n-grams are hashed to; 0: whole words only."
    )
    shortest: int = Field(default=3, ge=1, le=10, description="Characters of the shortest n-gram, < and > included.")
    longest: int = Field(default=6, ge=1, le=10, description="Characters of the longest n-gram.")

    @model_validator(mode="after")
    def _lengths_are_a_range(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError(f"shortest ({self.shortest}) must not exceed longest ({self.longest})")
        return self


class Word2Vec(Section):
    """Parameters shared by both models, under the names of the papers."""

    dim: int = Field(default=100, ge=1, le=4096, description="Dimensions of the vectors.")
    window: int = Field(
        default=5, ge=1, le=100, description="Largest distance of a context word; drawn 1..window per centre."
    )
    negatives: int = Field(default=5, ge=1, le=50, description="Noise words per positive example.")
    objective: Objective = Field(
        default="negative_sampling",
        description="negative_sampling; hierarchical_softmax over a Huffman tree; full_softmax, exact and slow.",
    )
    subwords: Subwords = Subwords()
    sample: float = Field(
        default=1e-3,
        ge=0.0,
        lt=1.0,
        description="Subsampling threshold of frequent words; 0 keeps every word.",
    )
    noise_exponent: float = Field(
        default=0.75, ge=0.0, le=1.0, description="The noise is the unigram distribution to this power."
    )
    min_learning_rate: float = Field(
        default=1e-4, gt=0.0, le=1.0, description="Floor of the decay, as a share of the start."
    )
    backend: Backend = Field(
        default="auto",
        description="What trains: numba (CPU), triton (GPU) or torch (slow, to read); auto: numba, else torch.",
    )
    threads: int = Field(default=1, ge=1, le=256, description="More than one is faster and not reproducible.")
    seed: Seed = 1
    block_words: int = Field(
        default=200_000,
        ge=1000,
        le=10_000_000,
        description="Words between two looks at the loss, the learning rate and the clock.",
    )
    checkpoint_seconds: float = Field(default=20.0, gt=0.0, description="Seconds between two checkpoints.")
    skipgram: Recipe = Recipe(learning_rate=0.025, epochs=5)
    cbow: Recipe = Recipe(learning_rate=0.05, epochs=5)

    def recipe(self, model: ModelName) -> Recipe:
        """Learning rate and epochs of `model`."""
        return self.skipgram if model == "skipgram" else self.cbow

    @model_validator(mode="after")
    def _matrices_are_addressable(self) -> Self:
        if self.dim > 1024 and self.negatives > 20:
            raise ValueError(
                "dim above 1024 together with more than 20 negatives is outside what the kernel was tested for"
            )
        return self
