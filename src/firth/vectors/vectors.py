"""Trained vectors: read, written, and asked for neighbours, analogies and similarities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from firth.config.word2vec import Subwords
from firth.errors import FirthError, IntegrityError
from firth.tokens import vocabulary as vocabularies
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.search import Approximate, Exact, Found, Search, unit_of
from firth.vectors.spelling import near_spellings
from firth.vectors.unknown import UnknownWordError, out_of_vocabulary
from firth.word2vec.matrix_files import FILE, load_matrices, load_subwords, names_in

Which = Literal["input", "output", "sum", "concat"]
"""Input vectors W, output vectors C, W + C, or W and C side by side."""

Method = Literal["3cosadd", "3cosmul"]

SMALL = 1e-6
"""Keeps 3CosMul's quotient finite, as in gensim."""

Query = str | NDArray[np.float32]
"""A word, or a vector (dim,)."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """A vector for each word of `vocabulary`: `matrix` is float32 (vocabulary, dim).

    With `ngrams` (buckets, dim) and `subwords`, the settings that they were trained with, every other word has one too.
    """

    vocabulary: Vocabulary
    matrix: NDArray[np.float32]
    ngrams: NDArray[np.float32] | None = None
    subwords: Subwords | None = None

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.vocabulary):
            raise IntegrityError(
                f"{len(self.vocabulary)} words but a matrix of shape {self.matrix.shape}: not of the same training"
            )
        if (self.ngrams is None) != (self.subwords is None):
            raise ValueError("ngrams and subwords go together")
        if (
            self.ngrams is not None
            and self.subwords is not None
            and self.ngrams.shape != (self.subwords.buckets, self.matrix.shape[1])
        ):
            raise IntegrityError(
                f"n-gram rows of shape {self.ngrams.shape} for {self.subwords.buckets} buckets and vectors of "
                f"{self.matrix.shape[1]} numbers: not of the same training"
            )

    @classmethod
    def load(cls, folder: Path, which: Which = "input") -> Vectors:
        """The vectors in `folder`, written by `save_matrices`.

        n-grams are read with `input`, which they are the parts of; the others know the vocabulary's words only.
        """
        if which not in get_args(Which):
            raise ValueError(f"which={which!r}: one of {', '.join(get_args(Which))}")
        vocabulary = Vocabulary.load(folder / vocabularies.FILE)
        wanted = {"input": ("input", "ngrams"), "output": ("output",)}.get(which, ("input", "output"))
        held = names_in(folder)
        if which != "input" and "output" not in held:
            why = "trained with hierarchical softmax" if "nodes" in held else "imported, or trained without"
            raise FirthError(f"{folder}: holds no output vectors ({why}); only `input` can be asked for")
        matrices = load_matrices(folder, wanted)
        for name in set(matrices) - {"ngrams"}:
            if len(matrices[name]) != len(vocabulary):
                raise IntegrityError(
                    f"{folder / FILE}: a matrix of {matrices[name].shape} for a vocabulary of {len(vocabulary)} words"
                )
        if which == "input":
            subwords = load_subwords(folder) if "ngrams" in matrices else None
            return cls(vocabulary, matrices["input"], matrices.get("ngrams"), subwords)
        if which == "output":
            return cls(vocabulary, matrices["output"])
        if matrices["input"].shape != matrices["output"].shape:
            raise IntegrityError(
                f"{folder / FILE}: matrices of {matrices['input'].shape} and {matrices['output'].shape}: "
                "not of the same training"
            )
        if which == "sum":
            return cls(vocabulary, matrices["input"] + matrices["output"])
        return cls(vocabulary, np.concatenate([matrices["input"], matrices["output"]], axis=1))

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return int(self.matrix.shape[1])

    @cached_property
    def exact(self) -> Exact:
        """Compares with all vectors."""
        return Exact(self.matrix)

    @cached_property
    def index(self) -> Approximate:
        """Built when it is first asked for."""
        return Approximate.build(self.exact)

    @cached_property
    def unit(self) -> NDArray[np.float32]:
        """The vectors scaled to length 1; a zero vector stays zero."""
        return self.matrix / self.exact.lengths[:, None]

    def find(self, word: str) -> int | None:
        """Row of `word`: as it is given, as a phrase (`new york` for `new_york`), then both in lower case."""
        ids = self.vocabulary.ids
        return next((ids[form] for form in _forms(word) if form in ids), None)

    def id_of(self, word: str) -> int:
        """Row of `word`, found as by `find`.

        Raises:
            UnknownWordError: it has none; words spelt alike are named.
        """
        row = self.find(word)
        if row is None:
            parts = word.split()
            near = near_spellings("_".join(parts), self.vocabulary.words)
            hint = f"; near spellings: {', '.join(near)}" if near else ""
            if not near and len(parts) > 1 and all(part in self for part in parts):
                hint = "; its words are, each by itself"
            raise UnknownWordError(f"{word[:80]!r} is not in the vocabulary of {len(self.vocabulary)} words{hint}")
        return row

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        """The vector of `word` (dim,); where there are n-grams, of any word that is long enough to have some."""
        row = self.find(word) if self.ngrams is not None else self.id_of(word)
        if row is not None:
            own: NDArray[np.float32] = self.matrix[row]
            return own
        if self.ngrams is None or self.subwords is None:
            raise AssertionError("id_of raises where there are no n-grams")
        form = _forms(word)[-1 if self._lowercase else 0]
        return out_of_vocabulary(form, self.ngrams, self.subwords)

    def units(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of `words` at length 1 (words, dim)."""
        return np.stack([unit_of(self[word]) for word in words])

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.find(word) is not None

    def similarity(self, first: str, second: str) -> float:
        """Cosine of two words' vectors, −1 to 1."""
        return float(unit_of(self[first]).astype(np.float64) @ unit_of(self[second]))

    def most_similar(
        self,
        positive: Query | Sequence[Query],
        n: int = 10,
        negative: Query | Sequence[Query] = (),
        approximate: bool | Approximate = False,
    ) -> list[tuple[str, float]]:
        """The `n` words nearest to what is asked, nearest first; ties in the order of the vocabulary.

        Asked is a word or a vector (dim,), or several: the sum of all `positive` less all `negative` at length 1, as in
        gensim. Words that are asked for are left out.

        Args:
            positive: What the answers are to be like.
            n: How many; all there are where the vocabulary has fewer.
            negative: What they are to be unlike.
            approximate: Walk an index, which is built when first needed or given, instead of comparing with all.
        """
        target, own = self._target(_listed(positive), _listed(negative))
        return self._answers([target], [own], n, approximate)[0]

    def neighbours(
        self, queries: Iterable[Query], n: int = 10, approximate: bool | Approximate = False
    ) -> list[list[tuple[str, float]]]:
        """`most_similar` of each query by itself, all in one go."""
        asked = [self._target([query], []) for query in queries]
        return self._answers([target for target, _ in asked], [own for _, own in asked], n, approximate)

    def analogy(self, a: str, b: str, c: str, n: int = 1, method: Method = "3cosadd") -> list[tuple[str, float]]:
        """`a` is to `b` as `c` is to what? The `n` best; the three words themselves are left out.

        3CosAdd takes the nearest to b − a + c, 3CosMul (Levy and Goldberg 2014) the largest product of closeness to b
        and to c, divided by closeness to a, where closeness is (1 + cosine) / 2.
        """
        if method not in get_args(Method):
            raise ValueError(f"method={method!r}: one of {', '.join(get_args(Method))}")
        if method == "3cosadd":
            return self.most_similar([b, c], n, negative=[a])
        targets = self.units((b, c, a))
        own = self._rows((a, b, c))
        return self._named(self.exact.combined(targets, _wanted(n, own), _quotient), own, n)

    def doesnt_match(self, words: Sequence[str]) -> str:
        """The one of three or more `words` that is farthest from the mean of all, each at length 1."""
        if len(words) < 3:
            raise FirthError(f"{len(words)} word(s): one of at least 3 can be the odd one out")
        unit = self.units(words)
        return words[int(np.argmin(np.round((unit.astype(np.float64) * unit.mean(axis=0)).sum(axis=1), 9)))]

    @cached_property
    def _lowercase(self) -> bool:
        return all(word == word.lower() for word in self.vocabulary.words)

    def _rows(self, queries: Iterable[Query]) -> set[int]:
        return {row for query in queries if isinstance(query, str) and (row := self.find(query)) is not None}

    def _target(self, positive: list[Query], negative: list[Query]) -> tuple[NDArray[np.float32], set[int]]:
        if not positive and not negative:
            raise ValueError("nothing is asked: name a word or give a vector")
        total = np.zeros(self.dim, np.float32)
        for sign, queries in ((1, positive), (-1, negative)):
            for query in queries:
                vector = self[query] if isinstance(query, str) else np.asarray(query, np.float32)
                if vector.shape != (self.dim,):
                    raise ValueError(f"a vector of shape {vector.shape}; these have {self.dim} numbers")
                total += sign * unit_of(vector)
        return unit_of(total), self._rows([*positive, *negative])

    def _answers(
        self, targets: list[NDArray[np.float32]], own: list[set[int]], n: int, approximate: bool | Approximate
    ) -> list[list[tuple[str, float]]]:
        search: Search = self.exact if approximate is False else self.index if approximate is True else approximate
        most = max((_wanted(n, rows) for rows in own), default=1)
        found = search.nearest(np.stack(targets), most) if targets else []
        return [self._named(each, rows, n) for each, rows in zip(found, own, strict=True)]

    def _named(self, found: Found, without: set[int], n: int) -> list[tuple[str, float]]:
        words = self.vocabulary.words
        kept = ((row, score) for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True))
        return [(words[row], score) for row, score in kept if row not in without][:n]


def _wanted(n: int, without: set[int]) -> int:
    if n < 1:
        raise ValueError(f"n={n}: ask for at least 1 word")
    return n + len(without)


def _forms(word: str) -> list[str]:
    phrase = "_".join(word.split())
    return list(dict.fromkeys((word, phrase, word.lower(), phrase.lower())))


def _listed(asked: Query | Sequence[Query]) -> list[Query]:
    single = isinstance(asked, str) or (isinstance(asked, np.ndarray) and asked.ndim == 1)
    return [asked] if single else list(asked)  # type: ignore[list-item]


def _quotient(cosines: NDArray[np.floating]) -> NDArray[np.floating]:
    """3CosMul's score (rows,) of the cosines (3, rows) with b, c and a."""
    b, c, a = (1 + cosines) / 2
    score: NDArray[np.floating] = b * c / (a + SMALL)
    return score
