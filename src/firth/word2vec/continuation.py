"""Training that goes on from older vectors, on new text with words of its own.

The vocabulary of the result is that of the new text, most frequent first, with its counts; behind it come the old words
that the new text lacks (or has too rarely), in their old order, with count 0. Subsampling and noise thus follow the
new text alone: a word of count 0 is neither read nor drawn as noise, and with negative sampling both of its vectors
stay as they were. (An exact softmax moves its output vector, as that of every word.)

With subwords the n-grams' rows are carried over as they are, and each old word's own row is what its saved vector, the
mean of all, leaves for it. Words of count 0 then move with the n-grams that they share with the new text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firth.canonical import file_sha256, value_sha256
from firth.config.word2vec import Subwords, Word2Vec
from firth.errors import ConfigError, IntegrityError
from firth.tokens import vocabulary as vocabularies
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.engine import Engine
from firth.word2vec.matrices import Floats
from firth.word2vec.matrix_files import FILE, load_matrices, load_subwords
from firth.word2vec.subwords import SubwordRows, composed


@dataclass(frozen=True, eq=False)
class OldVectors:
    """What lies in a folder of vectors, as `Engine.state` names it: `input`, perhaps `output`, perhaps `ngrams`.

    `subwords` are the settings that the n-grams were trained with, or say that there are none.
    """

    folder: Path
    vocabulary: Vocabulary
    matrices: dict[str, Floats]
    subwords: Subwords
    digest: str

    @classmethod
    def load(cls, folder: Path) -> OldVectors:
        """Read `folder`, as training or import has written it.

        Raises:
            ConfigError: the vectors are of a kind that cannot be carried to another vocabulary.
            IntegrityError: no such files, or vocabulary and matrices that do not belong together.
        """
        vocabulary = Vocabulary.load(folder / vocabularies.FILE)
        matrices = load_matrices(folder)
        if "nodes" in matrices:
            raise ConfigError(
                f"{folder}: trained with hierarchical softmax, whose tree belongs to its vocabulary; such vectors "
                "cannot be gone on from"
            )
        subwords = load_subwords(folder) or Subwords()
        dim = matrices["input"].shape[1]
        for name, matrix in matrices.items():
            rows = subwords.buckets if name == "ngrams" else len(vocabulary)
            if matrix.shape != (rows, dim):
                raise IntegrityError(
                    f"{folder / FILE}: the matrix {name!r} of {matrix.shape} does not fit {rows} "
                    f"{'n-grams' if name == 'ngrams' else 'words'} of {dim} dimensions"
                )
        if subwords.buckets:
            matrices["input"] = own_rows(matrices["input"], matrices["ngrams"], SubwordRows.of(vocabulary, subwords))
        files = {name: file_sha256(folder / name) for name in (FILE, vocabularies.FILE)}
        return cls(folder, vocabulary, matrices, subwords, value_sha256(files))

    @property
    def dim(self) -> int:
        """Dimensions of the vectors."""
        return int(self.matrices["input"].shape[1])

    def check(self, settings: Word2Vec) -> None:
        """Refuse settings under which these vectors cannot be gone on from."""
        if settings.dim != self.dim:
            raise ConfigError(f"word2vec.dim = {settings.dim}: the vectors in {self.folder} have {self.dim} dimensions")
        if settings.objective == "hierarchical_softmax":
            raise ConfigError(
                "word2vec.objective = hierarchical_softmax: its tree belongs to one vocabulary; older vectors can be "
                "gone on from with negative_sampling or full_softmax"
            )
        mine, asked = (found.model_dump() for found in (self.subwords, settings.subwords))
        if mine != asked and (self.subwords.buckets or settings.subwords.buckets):
            key = next(key for key in mine if mine[key] != asked[key])
            raise ConfigError(
                f"word2vec.subwords.{key} = {asked[key]}: the vectors in {self.folder} were trained with {mine[key]}"
            )


def own_rows(used: Floats, ngrams: Floats, rows: SubwordRows) -> Floats:
    """Each word's own row (vocabulary, dim) from its vector as it is used, the mean of that row and its n-grams'."""
    counts = (np.diff(rows.offsets) + 1).astype(np.float32)[:, None]
    zero = np.zeros_like(used)
    own: Floats = counts * (used - composed(zero, ngrams, rows))
    return own


@dataclass(frozen=True, eq=False)
class Continuation:
    """Old vectors on the way into a new training: `vocabulary` is the result's, `rows` where each old word is in it."""

    old: OldVectors
    vocabulary: Vocabulary
    rows: NDArray[np.int64]
    text_words: int

    @classmethod
    def of(cls, old: OldVectors, text: Vocabulary) -> Continuation:
        """Extend `text`, the vocabulary of the new text, by the old words that it lacks."""
        absent = [word for word in old.vocabulary.words if word not in text.ids]
        counts = np.concatenate([text.counts, np.zeros(len(absent), dtype=np.int64)])
        vocabulary = Vocabulary((*text.words, *absent), counts)
        rows = np.array([vocabulary.ids[word] for word in old.vocabulary.words], dtype=np.int64)
        return cls(old, vocabulary, rows, len(text))

    @property
    def digest(self) -> str:
        """Of the files that the old vectors came from."""
        return self.old.digest

    @property
    def absent(self) -> int:
        """Old words that the new text lacks."""
        return len(self.vocabulary) - self.text_words

    @property
    def known(self) -> int:
        """Words of the new text that go on from their old vectors."""
        return len(self.rows) - self.absent

    @property
    def new(self) -> int:
        """Words of the new text that begin anew."""
        return self.text_words - self.known

    def apply(self, engine: Engine) -> None:
        """Give the untrained `engine` the old vectors; new words keep the rows that the engine has drawn for them."""
        state = engine.state
        for name, matrix in self.old.matrices.items():
            if name == "ngrams":
                state[name][:] = matrix
            else:
                state[name][self.rows] = matrix
        engine.restore(state)

    def summary(self) -> str:
        """One line: which words go on, which begin, which stay."""
        line = (
            f"{self.known:,} words go on from their vectors, {self.new:,} are new, {self.absent:,} are not in this "
            "text and keep theirs"
        )
        return line if "output" in self.old.matrices else f"{line}; the folder has no output vectors: they start at 0"
