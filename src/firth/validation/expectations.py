"""What is expected of a corpus, in words and in bounds; who judges it is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from firth.config.text import Validation
from firth.validation.statistics import Cause


@dataclass(frozen=True, slots=True)
class Expectation:
    """A column of the statistics row, or of the sampled documents, that must lie within bounds (both inclusive)."""

    name: str
    about: Literal["statistics", "sample"]
    column: str
    low: float | None = None
    high: float | None = None
    mostly: float = 1.0
    """Smallest share of sampled documents that must meet it."""
    cause: Cause | None = None
    """Where the examples of a failing statistic are found; a failing sample names its own documents."""

    @property
    def expected(self) -> str:
        """The bound in words: `at most 0.3`, `3 to 8, in at least 90% of documents`."""
        if self.low is not None and self.high is not None:
            bound = number(self.low) if self.low == self.high else f"{number(self.low)} to {number(self.high)}"
        elif self.low is not None:
            bound = f"at least {number(self.low)}"
        else:
            assert self.high is not None
            bound = "none" if self.high == 0 else f"at most {number(self.high)}"
        return bound if self.about == "statistics" else f"{bound}, in at least {percent(self.mostly)} of documents"


def number(value: float) -> str:
    """A number as a person writes it: `100,000`, `0.001`, `5.25`."""
    return f"{round(value):,}" if float(value).is_integer() else f"{value:.6f}".rstrip("0")


def percent(share: float) -> str:
    """`12.3%`, `<0.01%`: at most two decimals, and nothing that is there reads as nothing."""
    if 0 < share < 0.0001:
        return "<0.01%"
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + "%"


def expectations(bounds: Validation) -> Sequence[Expectation]:
    """All of them, in the order in which they are shown."""
    low, high = bounds.mean_word_length
    letters = bounds.min_letter_share

    def counted(
        name: str, column: str, cause: Cause, low: float | None = None, high: float | None = None
    ) -> Expectation:
        return Expectation(name, "statistics", column, low, high, cause=cause)

    def sampled(name: str, column: str, low: float | None = None, high: float | None = None) -> Expectation:
        return Expectation(name, "sample", column, low, high, mostly=bounds.min_sample_share)

    return (
        counted("enough documents", "documents", "short", low=bounds.min_documents),
        counted("enough words", "words", "short", low=bounds.min_words),
        counted("few empty documents", "empty_share", "empty", high=bounds.max_empty_share),
        counted("few exact duplicates", "duplicate_share", "duplicates", high=bounds.max_duplicate_share),
        counted("every document has its own id", "repeated_ids", "repeated_ids", high=0),
        counted("few broken characters", "broken_share", "broken", high=bounds.max_replacement_share),
        counted("few over-long words", "long_word_share", "long_words", high=bounds.max_long_word_documents),
        counted("mostly letters", "letter_share", "few_letters", low=letters),
        counted("usual word length", "mean_word_length", "word_length", low=low, high=high),
        sampled("documents of mostly letters", "document_letter_share", low=letters),
        sampled("documents of usual words", "document_mean_word_length", low=low, high=high),
        sampled("readable documents", "document_broken_share", high=bounds.max_replacement_share),
        sampled("documents without markup", "markup_signs", high=0),
        sampled("documents not misread as Latin-1", "misread_signs", high=0),
    )
