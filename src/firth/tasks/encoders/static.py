"""Word vectors as an encoder: one vector a word, wherever it stands."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from firth.tasks.encoders.bags import Bags, Words, mean_rows
from firth.tasks.encoders.reading import Around, Cut, Floats, Integers, Reading, Windows
from firth.tasks.encoders.rows import MULTIPLE, Form
from firth.tokens.words import SENTENCE_END, word_pattern
from firth.vectors.vectors import Vectors

BLOCK = 256
"""Examples whose rows are made at a time."""


class StaticEncoder:
    """Word vectors; words without one are skipped, and where nothing is left the vector is zero.

    Words are cut as for the vectors' training. Whether text is lower-cased, and digits written as 0, is seen from the
    vocabulary: vectors from other tools do not say it.
    """

    def __init__(self, vectors: Vectors) -> None:
        self.vocabulary = vectors.vocabulary
        self._ids = vectors.vocabulary.ids
        words = vectors.vocabulary.words
        self.matrix = np.concatenate([vectors.matrix, np.zeros((1, vectors.matrix.shape[1]), np.float32)])
        self.unknown = len(self.matrix) - 1
        self._lowercase = all(word == word.lower() for word in words)
        digits = {character for word in words for character in word if character.isdecimal()}
        self._zeros = digits == {"0"}
        self.width: int = vectors.matrix.shape[1]

    def texts(self, texts: Sequence[str], length: int) -> Reading:
        """The mean of the words' vectors."""
        return self._means_of("single", [(text,) for text in texts], length)

    def pairs(self, firsts: Sequence[str], seconds: Sequence[str], length: int) -> Reading:
        """[u, v, |u − v|, u * v] of the two texts' means; `length` words of each."""
        return self._means_of("pair", list(zip(firsts, seconds, strict=True)), length)

    def choices(self, contexts: Sequence[str], endings: Sequence[Sequence[str]], length: int) -> Reading:
        """[v, |u − v|, u * v] of the context's mean u and each ending's mean v."""
        both = [(context, *listed) for context, listed in zip(contexts, endings, strict=True)]
        return self._means_of("choice", both, length, [len(listed) for listed in endings])

    def words(
        self,
        sentences: Sequence[Sequence[str]],
        length: int,
        around: Sequence[Around] | None = None,
        further: bool = False,
    ) -> Reading:
        """[vector of the word before, of the word, of the word behind]; of `around` these are the two at the edges."""
        del further  # words have no pieces
        inputs = []
        for number, sentence in enumerate(sentences):
            before, after = around[number] if around else Around((), ())
            edge = [*before[-1:]]
            read = [*edge, *sentence[:length], *(after[:1] if len(sentence) <= length else ())]
            own = (len(edge), len(edge) + len(sentence[:length]))
            inputs.append(Words("tokens", [self._positions(read, length)], own))
        cut = _cut([len(sentence) > length for sentence in sentences], length)
        return _reading(inputs, [item.own[1] - item.own[0] for item in inputs], cut)

    def spans(
        self, questions: Sequence[str], contexts: Sequence[str], length: int, windows: Windows | None = None
    ) -> Reading:
        """[word before, word, word behind, word * mean of the question] for each of the context's words.

        Vectors need no windows: where a BERT has some, the context is read whole at once.
        """
        inputs, spans, cut = [], [], []
        for question, context in zip(questions, contexts, strict=True):
            whole = self._words(context)
            found = whole[: length if windows is None else None]
            asked, longer = self._text(question, length)
            read = [_singles(number for number, _, _ in found), asked]
            inputs.append(Words("tokens", read, (0, len(found))))
            cut.append(longer or len(found) < len(whole))
            spans.append(np.array([[start, end] for _, start, end in found], dtype=np.int64).reshape(-1, 2))
        return _reading(inputs, [len(span) for span in spans], _cut(cut, length), spans)

    def features(self, reading: Reading) -> Floats:
        """The rows, float32."""
        out: Floats = np.empty((int(reading.starts[-1]), self._wide(reading)), np.float32)
        for first in range(0, len(reading.inputs), BLOCK):
            rows = mean_rows(reading.inputs[first : first + BLOCK], self._means, self.unknown)
            out[reading.starts[first] : reading.starts[first] + len(rows)] = rows.numpy()
        return out

    def _wide(self, reading: Reading) -> int:
        if not len(reading.inputs):
            return self.width
        item: Words = reading.inputs[0]
        multiple = (4 if item.asked else 3) if item.form == "tokens" else MULTIPLE[item.form]
        return self.width * multiple

    def _means(self, bags: Bags) -> Tensor:
        if len(bags.ids) == len(bags.starts):
            return torch.from_numpy(self.matrix[bags.ids])
        means = np.empty((len(bags.starts), self.width), np.float32)
        for number, ids in enumerate(np.split(bags.ids, bags.starts[1:])):
            means[number] = self.matrix[ids].mean(axis=0)
        return torch.from_numpy(means)

    def _words(self, text: str) -> list[tuple[int, int, int]]:
        """(row of the vector, first character, character behind) of each word; the last row, zeros, for an unknown."""
        plain = text.replace("_", " ").replace("’", "'")
        marks = "" if plain.isascii() else "".join(
            sorted(c for c in set(plain) if unicodedata.category(c) in ("Mn", "Mc"))
        )  # fmt: skip
        return [
            (self._ids.get(self._form(match.group()), self.unknown), match.start(), match.end())
            for match in word_pattern(marks).finditer(plain)
            if match.group() != SENTENCE_END
        ]

    def _form(self, word: str) -> str:
        word = word.lower() if self._lowercase else word
        return "".join("0" if c.isdecimal() else c for c in word) if self._zeros else word

    def _means_of(
        self, form: Form, examples: Sequence[Sequence[str]], length: int, counts: Sequence[int] | None = None
    ) -> Reading:
        """Texts side by side, of which means are taken: one row an example, or as many as `counts` says."""
        inputs, cut = [], []
        for texts in examples:
            read = [self._text(text, length) for text in texts]
            inputs.append(Words(form, [bags for bags, _ in read]))
            cut.append(any(longer for _, longer in read))
        return _reading(inputs, [1] * len(inputs) if counts is None else counts, _cut(cut, length))

    def _text(self, text: str, length: int) -> tuple[Bags, bool]:
        """A position for each of the first `length` words, and whether there are more."""
        words = self._words(text)
        return _singles(number for number, _, _ in words[:length]), len(words) > length

    def _positions(self, words: Sequence[str], length: int) -> Bags:
        """A position for each of `words`, which were cut by somebody else: it may hold several of ours, or none."""
        ids: list[int] = []
        starts = []
        for word in words:
            starts.append(len(ids))
            ids += [number for number in self._text(word, length)[0].ids if number != self.unknown] or [self.unknown]
        return Bags(np.array(ids, np.int64), np.array(starts, np.int64))


def _singles(numbers: Iterable[int]) -> Bags:
    ids = np.fromiter(numbers, np.int64)
    return Bags(ids, np.arange(len(ids), dtype=np.int64))


def _cut(examples: Sequence[bool], length: int) -> Cut:
    return Cut(np.array(examples, np.bool_), length, "length")


def _reading(
    inputs: Sequence[Words], counts: Sequence[int], cut: Cut, spans: Sequence[Integers] | None = None
) -> Reading:
    return Reading(inputs, np.array(counts, dtype=np.int64), spans, cut=cut)
