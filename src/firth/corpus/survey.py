"""A first look at a source, before parameters are written for it: how much text there is, and what it talks about."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from firth.config.corpora import FileSource
from firth.corpus.prepare.sentences import sentences
from firth.corpus.sources.opening import open_source
from firth.progress import Meter

LOOKED_AT = 2_000_000
"""Words whose frequencies and sentences are looked at; the rest is only counted."""
EXAMPLES = 200
"""Sentences kept to choose from."""

_WORD = re.compile(r"[a-z]{5,20}")
_PLAIN = re.compile(r"[A-Z][A-Za-z ,'-]+\.")


@dataclass(frozen=True)
class Survey:
    """`common`: frequent words of five letters or more, most frequent first; `examples`: plain sentences."""

    documents: int
    words: int
    common: tuple[str, ...]
    examples: tuple[str, ...]


def survey(name: str, source: FileSource, language: str = "en") -> Survey:
    """Read the source once.

    Raises:
        FirthError: it is missing, damaged or not the pinned one.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    opened = open_source(name, source)
    documents = words = 0
    counts: Counter[str] = Counter()
    examples: list[str] = []
    with Meter(f"read {name}", None, "documents") as meter:
        for document in opened.documents:
            split = document.text.split()
            documents += 1
            words += len(split)
            if words <= LOOKED_AT:
                counts.update(set(_WORD.findall(document.text.lower())))
                if len(examples) < EXAMPLES:
                    examples += _plain_sentences(document.text[:20_000], language)
            meter.advance(1, f"{words} words")
    common = [word for word, _ in counts.most_common(400) if word not in ENGLISH_STOP_WORDS]
    return Survey(documents, words, tuple(common[:50]), tuple(examples[:EXAMPLES]))


def _plain_sentences(text: str, language: str) -> list[str]:
    """Sentences of six to sixteen words without digits or brackets."""
    found = [" ".join(sentence.split()) for sentence in sentences(text, language)]
    return [sentence for sentence in found if 6 <= len(sentence.split()) <= 16 and _PLAIN.fullmatch(sentence)]
