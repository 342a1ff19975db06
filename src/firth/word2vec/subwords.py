"""Character n-grams of words (Bojanowski et al., 2017) and the rows that they are hashed to.

A word is written `<word>`; its n-grams are the runs of `shortest` to `longest` characters (code points) of that, each
as often as it occurs. Left out are `<` and `>` alone, which say nothing, and `<word>` as a whole: that is what the
word's own row stands for, as in the paper (fastText's program, and gensim after it, train the whole both as the own row
and as an n-gram where its length falls in the range).

The hash is the 32-bit FNV-1a of fastText over UTF-8, whose bytes are signed numbers: one above 0x7F is extended by ones
before it is mixed in. n-grams thus have the rows that they have in fastText and in gensim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.config.word2vec import Subwords
from firth.tokens.vocabulary import Vocabulary

_BASIS, _PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF
_SIGNED = ((np.arange(256, dtype=np.uint8).view(np.int8)).astype(np.int32)).view(np.uint32)
"""Each byte as the 32 bits that are mixed in."""

_WORDS, _FLOATS = 16_384, 1 << 22
"""Words hashed, and floats gathered or drawn, at a time, which bounds the memory."""


def bucket_of(ngram: str, buckets: int) -> int:
    """The row of `ngram` among `buckets`."""
    value = _BASIS
    for byte in _utf8(ngram):
        value = ((value ^ int(_SIGNED[byte])) * _PRIME) & _MASK
    return value % buckets


def ngrams_of(word: str, subwords: Subwords) -> list[str]:
    """The n-grams of `word`, by where they start and then by length; see the module."""
    whole = f"<{word}>"
    size = len(whole)
    return [
        whole[start : start + length]
        for start in range(size)
        for length in range(subwords.shortest, min(subwords.longest, size - start) + 1)
        if length < size and not (length == 1 and start in (0, size - 1))
    ]


@dataclass(frozen=True, eq=False)
class SubwordRows:
    """The n-gram rows of each word of a vocabulary: word i has `rows[offsets[i] : offsets[i + 1]]`.

    Both arrays are read-only; a row stands as often as its n-grams occur in the word, in the order of `ngrams_of`.
    """

    rows: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, vocabulary: Vocabulary, subwords: Subwords) -> SubwordRows:
        """The rows of all words of `vocabulary`; `subwords.buckets` is at least 1."""
        words = vocabulary.words
        parts = [_rows_of(words[first : first + _WORDS], subwords) for first in range(0, len(words), _WORDS)]
        rows = np.concatenate([np.zeros(0, np.int32), *(rows for rows, _ in parts)])
        counts = np.concatenate([np.zeros(0, np.int64), *(counts for _, counts in parts)])
        offsets = np.zeros(len(words) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        rows.flags.writeable = offsets.flags.writeable = False
        return cls(rows, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def most(self) -> int:
        """n-grams of the word that has most."""
        return int(np.diff(self.offsets).max(initial=0))

    def of_word(self, i: int) -> NDArray[np.int32]:
        """The n-gram rows of word `i`."""
        return self.rows[self.offsets[i] : self.offsets[i + 1]]


def fill_with_chance(matrix: NDArray[np.float32], *key: int) -> None:
    """Make `matrix` (rows, dim) what rows are before training, as in fastText: uniform in (−1, 1) / dim.

    Twice what rows of whole words start with, because a mean is smaller than what it is made of. `key` is (seed, 0) for
    words' own rows, (seed, 1) for n-grams'.
    """
    random, dim = np.random.default_rng(key), matrix.shape[1]
    step = max(1, _FLOATS // dim)
    for first in range(0, len(matrix), step):
        rows = matrix[first : first + step]
        rows[:] = (random.random(rows.shape, dtype=np.float32) * 2 - 1) / np.float32(dim)


def composed(own: NDArray[np.float32], ngrams: NDArray[np.float32], rows: SubwordRows) -> NDArray[np.float32]:
    """Input vectors as they are used (vocabulary, dim): the mean of a word's own row and of its n-grams' rows."""
    result = own.astype(np.float32)  # a copy
    step = max(1, _FLOATS // (own.shape[1] * (1 + rows.most)))
    for first in range(0, len(rows), step):
        last = min(first + step, len(rows))
        low, high = int(rows.offsets[first]), int(rows.offsets[last])
        if low == high:
            continue
        counts = np.diff(rows.offsets[first : last + 1])
        some = np.flatnonzero(counts)  # reduceat would give a word without n-grams those of the next
        sums = np.add.reduceat(ngrams[rows.rows[low:high]], rows.offsets[first:last][some] - low, axis=0)
        result[first + some] += sums
        result[first:last] /= (counts + 1).astype(np.float32)[:, None]
    return result


def _utf8(text: str) -> bytes:
    """A lone surrogate, as in an argument that is not UTF-8, is hashed as its three bytes."""
    return text.encode("utf-8", "surrogatepass")


def _rows_of(words: Sequence[str], subwords: Subwords) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Rows of all n-grams of `words`, and how many each word has: `ngrams_of` and `bucket_of` for many at once.

    One pass over the bytes for each byte of the longest n-gram: pass k mixes in the k-th byte behind every start, and
    notes the hash where a character ends.
    """
    data = np.frombuffer(_utf8("".join(f"<{word}>" for word in words)), dtype=np.uint8)
    starts = np.flatnonzero((data & 0xC0) != 0x80)  # where characters start
    behind = np.append(starts, len(data))[1:]  # and end
    sizes = np.array([len(word) + 2 for word in words], dtype=np.int64)  # in characters
    ends = np.cumsum(sizes)
    place = np.arange(len(starts)) - np.repeat(ends - sizes, sizes)  # of the character in its word
    size = np.repeat(sizes, sizes)
    room = size - place  # characters from here to the word's end

    lengths = np.arange(1, subwords.longest + 1)
    hashes = np.zeros((len(starts), subwords.longest), dtype=np.uint32)
    active = np.arange(len(starts))
    value = np.full(len(starts), _BASIS, dtype=np.uint32)
    done = np.zeros(len(starts), dtype=np.int64)  # characters mixed in
    position = starts.copy()
    while len(active):
        value = (value ^ _SIGNED[data[position]]) * np.uint32(_PRIME)
        position = position + 1
        ended = position == behind[active + done]
        hashes[active[ended], done[ended]] = value[ended]
        done = done + ended
        going = done < np.minimum(room[active], subwords.longest)
        active, value, done, position = active[going], value[going], done[going], position[going]

    within = (lengths >= subwords.shortest) & (lengths <= room[:, None]) & (lengths < size[:, None])
    if subwords.shortest == 1:
        within[(place == 0) | (room == 1), 0] = False
    counts = np.add.reduceat(within.sum(axis=1), ends - sizes)
    return (hashes[within] % np.uint32(subwords.buckets)).astype(np.int32), counts
