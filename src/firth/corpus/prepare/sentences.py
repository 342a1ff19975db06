"""Paragraphs into sentences, by the library `sentencex`."""

from __future__ import annotations

import re

from sentencex import segment

_QUOTE = re.compile("[\"“”„«»]|(?<!\\w)['‘]|['’](?!\\w)")
"""Quotation marks; an apostrophe inside a word is none."""

_TERMINATORS = ".!?…"
_FARTHEST_BRACKET = 400
"""A bracket that does not close within so many characters is taken as a stray one."""


def sentences(paragraph: str, language: str) -> list[str]:
    """The sentences of one paragraph (`repaired` text), in order; none is empty or without a letter or digit."""
    found: list[str] = []
    at = 0
    for piece in segment(language, _masked(paragraph)):
        sentence = paragraph[at : at + len(piece)].strip()
        at += len(piece)
        if any(map(str.isalnum, sentence)):
            found.append(sentence)
        elif sentence and found:
            found[-1] += f" {sentence}"
    return found


def _masked(paragraph: str) -> str:
    """A copy of the same length in which quotation marks and stray brackets do not hide sentence ends.

    sentencex takes what stands between two quotation marks as one piece. Straight marks pair wrongly after one odd
    mark, and speeches would stay one sentence. So an opening mark becomes a letter in the case of the next one, a
    closing mark behind a sentence end becomes part of that end, any other a letter.
    """
    masked = list(paragraph)
    for found in _QUOTE.finditer(paragraph):
        at = found.start()
        before, after = paragraph[at - 1 : at], paragraph[at + 1 : at + 2]
        if before and before in _TERMINATORS and not after.isalnum():
            masked[at] = before
        elif after.isupper() or after.isdigit():
            masked[at] = "X"
        else:
            masked[at] = "x"
    for opening, closing in ("()", "[]"):
        _mask_stray(paragraph, masked, opening, closing)
    return "".join(masked)


def _mask_stray(paragraph: str, masked: list[str], opening: str, closing: str) -> None:
    at = paragraph.find(opening)
    while at >= 0:
        if paragraph.find(closing, at, at + _FARTHEST_BRACKET) < 0:
            masked[at] = "x"
        at = paragraph.find(opening, at + 1)
