"""Word vectors as an encoder: one vector a word, wherever it stands."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from firth.tasks.usages.reading import Around, Floats, Integers, Reading, Windows
from firth.tokens.words import SENTENCE_END, word_pattern
from firth.vectors.vectors import Vectors


class StaticEncoder:
    """Word vectors; words without one are skipped, and where nothing is left the vector is zero.

    Words are cut as for the vectors' training. Whether text is lower-cased, and digits written as 0, is seen from the
    vocabulary: vectors from other tools do not say it.
    """

    def __init__(self, vectors: Vectors) -> None:
        self._ids = vectors.vocabulary.ids
        words = vectors.vocabulary.words
        self._matrix = np.concatenate([vectors.matrix, np.zeros((1, vectors.matrix.shape[1]), np.float32)])
        self._lowercase = all(word == word.lower() for word in words)
        digits = {character for word in words for character in word if character.isdecimal()}
        self._zeros = digits == {"0"}
        self.width = vectors.matrix.shape[1]

    def texts(self, texts: Sequence[str], length: int) -> Reading:
        """The mean of the words' vectors."""
        return _single([self._mean(text, length) for text in texts])

    def pairs(self, firsts: Sequence[str], seconds: Sequence[str], length: int) -> Reading:
        """[u, v, |u − v|, u * v] of the two texts' means (Conneau et al. 2017); `length` words of each."""
        rows = []
        for first, second in zip(firsts, seconds, strict=True):
            u, v = self._mean(first, length), self._mean(second, length)
            rows.append(np.concatenate([u, v, np.abs(u - v), u * v]))
        return _single(rows)

    def choices(self, contexts: Sequence[str], endings: Sequence[Sequence[str]], length: int) -> Reading:
        """[v, |u − v|, u * v] of the context's mean u and each ending's mean v.

        As in `pairs` but for u alone, which would add the same to all endings of a context.
        """
        rows = []
        for context, listed in zip(contexts, endings, strict=True):
            u = self._mean(context, length)
            means = np.stack([self._mean(ending, length) for ending in listed])
            rows.append(np.concatenate([means, np.abs(means - u), means * u], axis=1))
        return Reading(rows, _counts(rows))

    def words(
        self,
        sentences: Sequence[Sequence[str]],
        length: int,
        around: Sequence[Around] | None = None,
        further: bool = False,
    ) -> Reading:
        """[vector of the word before, of the word, of the word behind]; of `around` these are the two at the edges."""
        del further  # words have no pieces
        rows = []
        for number, sentence in enumerate(sentences):
            before, after = around[number] if around else Around((), ())
            edge = [*before[-1:]]
            read = [*edge, *sentence[:length], *(after[:1] if len(sentence) <= length else ())]
            vectors = _with_neighbours(np.stack([self._mean(word, length) for word in read]))
            rows.append(vectors[len(edge) : len(edge) + len(sentence[:length])])
        return Reading(rows, _counts(rows))

    def spans(
        self, questions: Sequence[str], contexts: Sequence[str], length: int, windows: Windows | None = None
    ) -> Reading:
        """[word before, word, word behind, word * mean of the question] for each of the context's words.

        The question's mean alone would add the same to every word of a context, and the choice is among these.
        Vectors need no windows: where a BERT has some, the context is read whole at once.
        """
        rows, spans = [], []
        for question, context in zip(questions, contexts, strict=True):
            found = self._words(context)[: length if windows is None else None]
            vectors = self._matrix[[number for number, _, _ in found]]
            rows.append(np.concatenate([_with_neighbours(vectors), vectors * self._mean(question, length)], axis=1))
            spans.append(np.array([[start, end] for _, start, end in found], dtype=np.int64).reshape(-1, 2))
        return Reading(rows, _counts(rows), spans)

    def features(self, reading: Reading) -> Floats:
        """The rows, float32."""
        return np.concatenate(reading.inputs) if len(reading.inputs) else np.zeros((0, self.width), np.float32)

    def _words(self, text: str) -> list[tuple[int, int, int]]:
        """(row of the vector, first character, character behind) of each word; the last row, zeros, for an unknown."""
        plain = text.replace("_", " ").replace("’", "'")
        marks = "" if plain.isascii() else "".join(
            sorted(c for c in set(plain) if unicodedata.category(c) in ("Mn", "Mc"))
        )  # fmt: skip
        return [
            (self._ids.get(self._form(match.group()), len(self._matrix) - 1), match.start(), match.end())
            for match in word_pattern(marks).finditer(plain)
            if match.group() != SENTENCE_END
        ]

    def _form(self, word: str) -> str:
        word = word.lower() if self._lowercase else word
        return "".join("0" if c.isdecimal() else c for c in word) if self._zeros else word

    def _mean(self, text: str, length: int) -> Floats:
        known = [number for number, _, _ in self._words(text)[:length] if number < len(self._matrix) - 1]
        mean: Floats = self._matrix[known].mean(axis=0) if known else self._matrix[-1]
        return mean


def _with_neighbours(vectors: Floats) -> Floats:
    """(words, dim) -> (words, 3 * dim); zeros before the first and behind the last."""
    edge = np.zeros((1, vectors.shape[1]), np.float32)
    padded = np.concatenate([edge, vectors, edge])
    return np.concatenate([padded[:-2], padded[1:-1], padded[2:]], axis=1)


def _single(rows: Sequence[Floats]) -> Reading:
    return Reading([row[None] for row in rows], np.ones(len(rows), np.int64))


def _counts(rows: Sequence[Floats]) -> Integers:
    return np.array([len(part) for part in rows], dtype=np.int64)
