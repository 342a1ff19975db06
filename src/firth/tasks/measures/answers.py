"""SQuAD's scores of an answer: exact match and F1 of words, normalised; the best over the given answers."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(answer: str) -> str:
    """Lower-cased, without punctuation, articles and superfluous white space, in this order."""
    return " ".join(ARTICLES.sub(" ", answer.lower().translate(PUNCTUATION)).split())


def exact(predicted: str, answers: Sequence[str]) -> float:
    """1 where `predicted` is one of `answers`, normalised; else 0."""
    return float(any(normalised(predicted) == normalised(answer) for answer in answers))


def f1(predicted: str, answers: Sequence[str]) -> float:
    """The best F1 of words of `predicted` with one of `answers`, 0 to 1.

    As in the scorer of v1.1 it is 0 where no word is left of either, though these are an exact match.
    """
    return max(_f1(normalised(predicted).split(), normalised(answer).split()) for answer in answers)


def _f1(predicted: list[str], answer: list[str]) -> float:
    shared = sum((Counter(predicted) & Counter(answer)).values())
    if not shared:
        return 0.0
    # The scorer's own order of operations: the last digit is its.
    precision, recall = shared / len(predicted), shared / len(answer)
    return 2 * precision * recall / (precision + recall)
