"""`validation`, `prepare` and `words`: from raw documents to a vocabulary and an id stream."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from firth.config.base import Section, Seed, Share


class Validation(Section):
    """What a corpus must look like before anything is trained on it."""

    sample: int = Field(default=2000, ge=10, description="Documents in the seeded sample that is looked at one by one.")
    seed: Seed = 1
    min_documents: int = Field(default=10, ge=1, description="A corpus with fewer documents is refused.")
    min_words: int = Field(default=1000, ge=1, description="A corpus with fewer words is refused.")
    max_empty_share: Share = Field(default=0.01, description="Largest share of documents without a word.")
    max_duplicate_share: Share = Field(default=0.3, description="Largest share of exact duplicates.")
    max_replacement_share: Share = Field(
        default=0.001,
        description="Largest share of characters that are U+FFFD or control characters: signs of broken decoding.",
    )
    max_word_length: int = Field(
        default=1000, ge=10, description="Longest run of characters without white space that is still text."
    )
    max_long_word_documents: Share = Field(default=0.01, description="Largest share of documents with a longer run.")
    min_letter_share: Share = Field(
        default=0.6, description="Smallest share of letters among the non-blank characters."
    )
    mean_word_length: tuple[float, float] = Field(
        default=(3.0, 8.0), strict=False, description="Valid range of the mean word length, in characters."
    )
    min_sample_share: Share = Field(
        default=0.9,
        description="Smallest share of sampled documents that must each be mostly letters, with usual words, readable, "
        "free of markup and not misread as Latin-1.",
    )

    @model_validator(mode="after")
    def _word_lengths_are_a_range(self) -> Self:
        low, high = self.mean_word_length
        if not 0 <= low < high:
            raise ValueError(f"mean_word_length: [{low}, {high}] is not a range; write [smallest, largest]")
        return self


class Prepare(Section):
    """Cleaning, sentence splitting, deduplication and the train/held-out split."""

    language: str = Field(
        default="en", pattern=r"^[a-z]{2}$", description="Language of the sentence splitter (ISO 639-1)."
    )
    min_words: int = Field(default=5, ge=1, description="Documents with fewer words are dropped.")
    max_word_length: int = Field(
        default=200, ge=10, description="Documents with a longer run without white space are dropped."
    )
    near_duplicates: bool = Field(default=True, description="Drop near-duplicates too (MinHash), not only equal texts.")
    similarity: float = Field(
        default=0.8,
        gt=0.0,
        le=1.0,
        description="Jaccard similarity from which two texts are near-duplicates.",
    )
    shingle_words: int = Field(default=5, ge=1, le=20, description="Words in a shingle.")
    permutations: int = Field(default=128, ge=16, le=1024, description="Length of the MinHash signature.")
    decontamination_words: int = Field(
        default=13,
        ge=0,
        le=100,
        description="Sentences that share this many words in a row with a task's dev text are dropped; 0: none are.",
    )
    heldout_share: float = Field(
        default=0.02, gt=0.0, lt=0.5, description="Share of documents held out, chosen by hash."
    )
    shard_megabytes: int = Field(default=64, ge=1, le=1024, description="Text in one Parquet shard, in MB.")
    seed: Seed = 1


class Phrases(Section):
    """Pairs of words that are joined to one, `new york` to `new_york`, before the vocabulary is counted.

    A pair is joined where (count of the pair − discount) / (count of the first × count of the second) × words of the
    text is above the threshold: Mikolov et al. 2013b, section 4, scaled as in the word2vec toolkit.
    """

    passes: int = Field(
        default=0, ge=0, le=8, description="0: no phrases; each pass joins two, so 2 find up to four words in a row."
    )
    threshold: float = Field(
        default=100.0, gt=0.0, description="How many times more often than by chance; higher: fewer phrases."
    )
    discount: int = Field(default=5, ge=0, description="Taken from a pair's count: keeps rare pairs from being joined.")


class Words(Section):
    """The word vocabulary and the id stream that word2vec reads."""

    lowercase: bool = Field(default=True, description="Lower-case the text before counting.")
    min_count: int = Field(default=5, ge=1, description="Rarer words are left out.")
    max_vocabulary: int = Field(default=1_000_000, ge=2, description="Most words kept, most frequent first.")
    max_distinct: int = Field(
        default=20_000_000,
        ge=1000,
        le=1_000_000_000,
        description="Most distinct words (and, for phrases, pairs) held while counting; beyond, the rarest so far are "
        "forgotten and their occurrences lost, which is reported.",
    )
    numbers: Literal["keep", "digit"] = Field(default="keep", description="`digit` writes every digit as 0.")
    phrases: Phrases = Phrases()
    shuffle: bool = Field(
        default=True, description="Put the training documents in a random order, so that no source is read last."
    )
    seed: Seed = 1

    @model_validator(mode="after")
    def _ids_fit(self) -> Self:
        if self.max_vocabulary > 2**31 - 2:
            raise ValueError("max_vocabulary must fit in int32")
        return self
