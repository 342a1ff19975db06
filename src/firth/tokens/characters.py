"""What each character of Unicode becomes in a word: tables for the compiled scanner, made from Python's own rules.

`words.split` is the definition; here it is said per character, so that it can be looked up instead of asked.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

CODE_POINTS = 0x110000

ASSIGNED = ((0, 0x40000), (0xE0000, 0xE1000))
"""Where letters, digits and marks are: the other planes are empty or for private use."""

SEPARATOR, LINE_END, APOSTROPHE = 0, ord("\n"), ord("'")
"""What a table holds for characters that are not part of a word; every other value is the character to write."""

IN_CONTEXT = ("Σ", "İ")
"""Characters whose lower case is not one character that depends on them alone: `Σ` is `ς` at the end of a word, `İ`
becomes two. `lowered` handles the lines that hold one. Both are two bytes of UTF-8."""


@cache
def character_table(lowercase: bool, digits: bool) -> NDArray[np.int32]:
    """For each code point what it is in a word: the (lower-case) character, `0` for decimal digits if `digits`.

    Shape (0x110000,); see `SEPARATOR`, `LINE_END`, `APOSTROPHE` for what is not part of a word.
    """
    points = np.concatenate([np.arange(first, last, dtype=np.int32) for first, last in ASSIGNED])
    characters = list(map(chr, points.tolist()))
    categories = map(unicodedata.category, characters)
    part = np.zeros(CODE_POINTS, dtype=bool)
    part[points] = np.fromiter(map(str.isalnum, characters), dtype=bool, count=len(points))
    part[points] |= np.fromiter(map(("Mn", "Mc").__contains__, categories), dtype=bool, count=len(points))
    table = np.arange(CODE_POINTS, dtype=np.int32)
    if lowercase:
        for character in IN_CONTEXT:
            characters[ord(character)] = " "  # never met: `lowered` has been there
        table[points] = np.fromiter(map(ord, map(str.lower, characters)), dtype=np.int32, count=len(points))
    if digits:
        decimal = np.zeros(CODE_POINTS, dtype=bool)
        decimal[points] = np.fromiter(map(str.isdecimal, characters), dtype=bool, count=len(points))
        table[decimal[table]] = ord("0")
    table[~part[table]] = SEPARATOR
    table[[ord("'"), ord("’")]] = APOSTROPHE
    table[ord("\n")] = LINE_END
    table.flags.writeable = False
    return table


def lowered(lines: bytes, places: Iterable[int]) -> bytes:
    """UTF-8 `lines`, those with a byte of `places` (ascending) in Python's lower case, all others as they are."""
    pieces = []
    copied = 0
    for place in places:
        if place < copied:
            continue
        start = lines.rfind(b"\n", copied, place) + 1 or copied
        end = lines.find(b"\n", place) + 1 or len(lines)
        text = lines[start:end].decode(errors="surrogatepass").lower()
        pieces += [lines[copied:start], text.encode(errors="surrogatepass")]
        copied = end
    return b"".join((*pieces, lines[copied:]))
