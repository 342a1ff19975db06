"""A vocabulary of word pieces from counted words: the same counts give the same vocabulary, always.

The outcome is that of Hugging Face's WordPieceTrainer, whose ties fall as a hash seed has it: special pieces, then the
alphabet, then merges of the most frequent pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from firth.errors import DataError
from firth.wordpiece.library import CONTINUES, LONGEST_WORD, Names
from firth.wordpiece.merges import learn_merges
from firth.wordpiece.tokenizer import Tokenizer

Advance = Callable[[int], None]


class Learned(NamedTuple):
    """A vocabulary, and what of the text had no part in it."""

    pieces: tuple[str, ...]
    left_out: int
    """Words read (each occurrence) without a part in it: too long, or with a character outside the alphabet."""


def learn_vocabulary(
    counts: Mapping[str, int], size: int, min_count: int, alphabet: int, advance: Advance = lambda _: None
) -> Learned:
    """At most `size` pieces: the special ones, the alphabet by code point (plain, then with `##`), then merges.

    Args:
        counts: occurrences of each word, after normalisation.
        size: pieces wanted; fewer come back where no further pair is frequent enough.
        min_count: a pair of pieces that is rarer is not merged.
        alphabet: most characters kept, the most frequent, ties by code point. A word with another one would be [UNK].
        advance: told how many pieces were added.

    Raises:
        DataError: there are no words, or `size` cannot hold the alphabet.
    """
    characters: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            characters[character] += count
    if not characters:
        raise DataError("the text holds no words")
    by_count = sorted(characters.items(), key=lambda item: (-item[1], item[0]))
    kept = sorted(character for character, _ in by_count[:alphabet])
    inside = {character for word in counts for character in word[1:]}
    pieces = [*Names(), *kept, *(CONTINUES + character for character in kept if character in inside)]
    if len(pieces) > size:
        raise DataError(
            f"a vocabulary of {size} pieces cannot hold the special pieces and the alphabet, {len(pieces)} together: "
            "ask for more pieces, or a smaller alphabet"
        )
    first = {character: number for number, character in enumerate(kept, start=len(Names()))}
    rest = {piece[len(CONTINUES) :]: number for number, piece in enumerate(pieces) if piece.startswith(CONTINUES)}
    advance(len(pieces))
    words: list[list[int]] = []
    occurrences: list[int] = []
    left_out = 0
    for word in sorted(counts):
        if len(word) <= LONGEST_WORD and all(map(first.__contains__, word)):
            words.append([first[word[0]], *map(rest.__getitem__, word[1:])])
            occurrences.append(counts[word])
        else:
            left_out += counts[word]
    learn_merges(words, occurrences, pieces, size, min_count, advance)
    return Learned(tuple(pieces), left_out)


def extend_vocabulary(
    base: Tokenizer, counts: Mapping[str, int], further: int, min_count: int, advance: Advance = lambda _: None
) -> Learned:
    """The vocabulary of `base`, and behind it up to `further` pieces merged from the words that it splits."""
    names = sorted(counts)
    words: list[list[int]] = []
    occurrences: list[int] = []
    left_out = 0
    for word, ids in zip(names, base.ids(names), strict=True):
        if base.unk in ids:
            left_out += counts[word]
        elif len(ids) > 1:
            words.append(ids)
            occurrences.append(counts[word])
    pieces = list(base.vocabulary)
    learn_merges(words, occurrences, pieces, len(pieces) + further, min_count, advance)
    return Learned(tuple(pieces), left_out)
