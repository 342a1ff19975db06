"""One document in numbers, without a Python loop over its characters, and a short, printable piece of it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

EXCERPT = 160
"""Characters of a document that an example shows."""

MARKUP = re.compile(
    r"</?(?:a|abbr|b|br|code|div|em|font|h[1-6]|i|img|li|ol|p|ref|script|small|span|strong|sub|sup|table|td|th|tr|ul)\b[^<>]{0,200}>"
    r"|&(?:amp|lt|gt|nbsp|quot|#\d{2,5}|#x[0-9a-fA-F]{2,5});|\[\[|\]\]|\{\{|\}\}"
)
"""Tags, entities, wiki links and templates that cleaning should have taken out."""

MISREAD = re.compile("[\u00c2\u00c3][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192]|\u00e2\u20ac")
"""UTF-8 that was decoded as Latin-1 or Windows-1252: `Ã©` for `é`, `â€™` for `’`."""

_LETTER, _BLANK, _BROKEN = 1, 2, 3
_BREAKS = "\t\n\v\f\r"


@dataclass(frozen=True, slots=True)
class Measures:
    """Counts of one document. A word is a run of characters without white space."""

    words: int
    characters: int
    nonblank: int
    letters: int
    """Letters and the marks that belong to them (Unicode L* and M*)."""
    broken: int
    """U+FFFD and control characters other than tab and line breaks: signs of broken decoding."""
    longest: int
    """Characters of the longest word."""

    @property
    def letter_share(self) -> float:
        """Letters among the non-blank characters; 0 without any."""
        return self.letters / self.nonblank if self.nonblank else 0.0

    @property
    def mean_word_length(self) -> float:
        """Characters a word; 0 without words."""
        return self.nonblank / self.words if self.words else 0.0

    @property
    def broken_share(self) -> float:
        """Broken characters among all; 0 for an empty text."""
        return self.broken / self.characters if self.characters else 0.0


def measure(text: str) -> Measures:
    """Count `text` once: a table look-up over its code points and one split at white space."""
    words = text.split()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    kinds = np.bincount(_kinds()[codes], minlength=4)
    return Measures(
        words=len(words),
        characters=len(text),
        nonblank=sum(map(len, words)),
        letters=int(kinds[_LETTER]),
        broken=int(kinds[_BROKEN]),
        longest=max(map(len, words), default=0),
    )


def broken_at(text: str) -> int:
    """Where the first broken character is; 0 without one."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return int(np.argmax(_kinds()[codes] == _BROKEN)) if len(codes) else 0


def excerpt(text: str, at: int = 0) -> str:
    """At most `EXCERPT` characters around `at`, on one line, control characters spelt out."""
    start = max(0, at - EXCERPT // 3) if at > EXCERPT // 2 else 0
    piece = text[start : start + EXCERPT]
    plain = "".join(letter if letter.isprintable() or letter.isspace() else _spelt(letter) for letter in piece)
    return ("…" if start else "") + " ".join(plain.split()) + ("…" if start + EXCERPT < len(text) else "")


def _spelt(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


@cache
def _kinds() -> NDArray[np.uint8]:
    """What each code point is, as one small number: (0x110000,) uint8."""
    return np.fromiter((_kind(chr(code)) for code in range(0x110000)), dtype=np.uint8, count=0x110000)


def _kind(letter: str) -> int:
    category = unicodedata.category(letter)
    if letter == "\ufffd" or (category == "Cc" and letter not in _BREAKS) or category == "Cs":
        return _BROKEN
    if letter.isspace():
        return _BLANK
    return _LETTER if category[0] in "LM" else 0
