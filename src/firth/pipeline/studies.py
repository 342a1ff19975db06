"""The studies of pretraining that `firth study` knows: which trainings each compares, and on what.

A study changes one thing. What its trainings are compared by is one and the same for all of them: held-out words that
the paper's own masking (15 %, of which 80 % are really hidden) puts under [MASK], whatever a model was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from firth.config.bert import Bert, Masking
from firth.errors import FirthError

Name = Literal["masking-rate", "replacement", "next-sentence", "whole-words", "left-to-right"]


@dataclass(frozen=True)
class Cell:
    """One training of a study: `changes` (keys below `bert`) on top of the parameters that all of them share."""

    name: str
    changes: Mapping[str, Any]

    @property
    def overrides(self) -> list[str]:
        """As `--set` takes them."""
        return [f"bert.{key}={str(value).lower()}" for key, value in self.changes.items()]


@dataclass(frozen=True)
class Measure:
    """Held-out text that every cell is measured on: the paper's masking, with `masking` and `changes` on top."""

    key: str
    title: str
    masking: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, shared: Bert) -> Bert:
        """How the held-out instances are made, where the trainings share `shared`."""
        fixed = {"masking": Masking(**self.masking), "objective": "masked", **self.changes}
        return shared.model_copy(update=fixed)


@dataclass(frozen=True)
class Study:
    """What is asked, which trainings answer it, what they are measured on, and how that is to be read."""

    title: str
    question: str
    cells: tuple[Cell, ...]
    paper: str
    """Name of the cell that the others are compared with."""
    comparable: str
    """Why the cells' figures may stand side by side."""
    measures: tuple[Measure, ...] = (Measure("hidden", "Hidden pieces"),)

    @property
    def keys(self) -> set[str]:
        """The parameters that are this study's to set."""
        return {f"bert.{key}" for cell in self.cells for key in cell.changes}


SAME_WORDS = (
    "All models are asked for the same words of the same held-out text, under the same masking: that of the paper, "
    "15 % of the pieces, and of these only the ones that [MASK] really hides. What a model was trained to predict "
    "does not count. "
)

STUDIES: dict[Name, Study] = {
    "masking-rate": Study(
        "Masking rate",
        "How much of the text should be hidden in training?",
        tuple(Cell(f"{rate} %", {"masking.rate": rate / 100}) for rate in (5, 15, 30, 50, 80)),
        "15 %",
        SAME_WORDS + "Every model has read the same text; one that hides more of it was asked for more words, and saw "
        "less of what stands around them. Measured each at its own rate, a loss would tell how hard its gaps are.",
    ),
    "replacement": Study(
        "80/10/10 or always [MASK]",
        "Does it help to leave some of the chosen words in their place, and to put others there?",
        (
            Cell("80/10/10", {"masking.mask": 0.8, "masking.random": 0.1}),
            Cell("always [MASK]", {"masking.mask": 1.0, "masking.random": 0.0}),
        ),
        "80/10/10",
        SAME_WORDS + "The paper keeps some words in place for what comes after: fine-tuning never sees [MASK]. This "
        "measure cannot show that; it shows what the mixture costs or brings at filling gaps.",
    ),
    "next-sentence": Study(
        "Next-sentence prediction, on and off",
        "Does the second task help or hinder the first?",
        (Cell("on", {"next_sentence": True}), Cell("off", {"next_sentence": False})),
        "on",
        SAME_WORDS + "With next sentences a model trains on two segments, half of them from unlike documents; without, "
        "on one stretch of text. Each is at home on its own kind of input, so both are shown, and only what holds on "
        "both is a finding.",
        (
            Measure("stretches", "Hidden pieces in one stretch of text", changes={"next_sentence": False}),
            Measure("pairs", "Hidden pieces in two segments", changes={"next_sentence": True}),
        ),
    ),
    "whole-words": Study(
        "Whole-word masking",
        "Should a word of several pieces be hidden as a whole?",
        (
            Cell("pieces", {"masking.whole_words": False}),
            Cell("whole words", {"masking.whole_words": True}),
        ),
        "pieces",
        SAME_WORDS + "A piece whose neighbours show the rest of its word is easily guessed. Both ways to hide are "
        "shown: single pieces, as one model was trained, and whole words, as the other was; only what holds on both is "
        "a finding.",
        (
            Measure("pieces", "Hidden single pieces"),
            Measure("words", "Hidden whole words", masking={"whole_words": True}),
        ),
    ),
    "left-to-right": Study(
        "Left to right or both sides",
        "What is it worth to see both sides of a word?",
        (
            Cell("masked", {"objective": "masked", "next_sentence": False, "masking.whole_words": False}),
            Cell("left to right", {"objective": "left_to_right", "next_sentence": False, "masking.whole_words": False}),
        ),
        "masked",
        "Both models are asked for the same words of the same held-out text: those that the paper's masking, 15 % of "
        "the pieces, really hides. The masked model sees the text on both sides with these gaps in it, the other the "
        "whole text to the left. Both have read the same text, but one was asked for 15 % of its words in training and "
        "the other for all, so early in training the second may lead (section 5.1 and appendix C.1 of the paper). "
        "The figure is about filling gaps; it says nothing of vectors in use.",
        (Measure("hidden", "Hidden pieces", changes={"next_sentence": False}),),
    ),
}  # fmt: skip


def find(name: str) -> Study:
    """The study of that name; `FirthError` lists them where there is none."""
    for known in get_args(Name):
        if known == name:
            return STUDIES[known]
    raise FirthError(f"study {name!r} does not exist; there are: {', '.join(get_args(Name))}")
