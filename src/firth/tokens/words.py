"""What a word is.

A run of letters, digits and combining marks, of any script; apostrophes inside it belong to it, straight or curly:
`don’t` and `don't` are the word `don't`, quotation marks around a word are not part of it. Everything else —
hyphens, underscores, points, symbols — separates words. `U.S.` is thus `u s`, `state-of-the-art` is four words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

SENTENCE_END = "\n"
"""Stands between two sentences in what `split` returns."""


@cache
def word_pattern(marks: str = "") -> re.Pattern[str]:
    """A word, or the end of a sentence, in a text without underscores whose combining marks are `marks`."""
    part = rf"[\w{re.escape(marks)}]+" if marks else r"\w+"
    return re.compile(rf"{part}(?:'{part})*|{SENTENCE_END}")


def split(sentences: Sequence[str], lowercase: bool, numbers: str) -> list[str]:
    """The words of `sentences` in order, `SENTENCE_END` behind each sentence.

    `lowercase` lower-cases the text first; `numbers` is `keep`, or `digit` to write every decimal digit as 0.
    """
    text = "\n".join(" ".join(s.splitlines()) if "\n" in s else s for s in sentences) + "\n"
    text = text.replace("_", " ").replace("’", "'")  # Python's \w counts the underscore among the letters
    if lowercase:
        text = text.lower()
    if numbers == "digit":
        text = re.sub(r"\d", "0", text)
    # \w has no marks, and a character class with all of them is 20 times slower: only those that occur.
    marks = "" if text.isascii() else "".join(sorted(c for c in set(text) if unicodedata.category(c) in ("Mn", "Mc")))
    return word_pattern(marks).findall(text)
