"""The readable engine: every objective, both models and subwords by the steps of `reference`, one example at a time.

It draws the same random numbers in the same order as the compiled engines and takes the same steps: what they do can be
compared with it value by value. It is slow: some thousand words a second, with the full softmax of 5,000 words some
hundred.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from firth.choices import ModelName
from firth.config.word2vec import Word2Vec
from firth.errors import ConfigError
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.engine import Engine, Ids, Result
from firth.word2vec.huffman import HuffmanTree
from firth.word2vec.matrices import Floats, initial_input
from firth.word2vec.plain.examples import Example, Reading
from firth.word2vec.plain.objectives import (
    FullSoftmax,
    Hidden,
    HierarchicalSoftmax,
    NegativeSampling,
    Target,
    loss_of,
    step,
)
from firth.word2vec.sampling import AliasTable, keep_thresholds, noise_distribution
from firth.word2vec.stretches import heldout_state, not_a_word, parts, read_only, together
from firth.word2vec.subwords import SubwordRows, composed, fill_with_chance

FULL_SOFTMAX_WORDS = 50_000
"""Largest vocabulary that the full softmax is offered for: each example reads and changes the whole output matrix."""

CONTEXTS = 2
"""Contexts of a skip-gram step: those of a kernel's tile (`word2vec.cpu.tile`)."""


class TorchEngine(Engine):
    """Input rows `W` (a vocabulary's own rows, then the n-grams' rows), output rows `C`; one thread of Python.

    `settings.threads` cuts a block into parts as it does for the compiled engines, which are then trained one after
    the other.
    """

    def __init__(self, model: ModelName, vocabulary: Vocabulary, settings: Word2Vec) -> None:
        super().__init__(model, vocabulary, settings)
        size, objective = len(vocabulary), settings.objective
        if objective == "full_softmax" and size > FULL_SOFTMAX_WORDS:
            raise ConfigError(
                f"word2vec.objective = full_softmax: a vocabulary of {size} words is too large: each example would "
                f"read and change all {size * settings.dim * 4 / 1e6:.0f} MB of output vectors; at most "
                f"{FULL_SOFTMAX_WORDS}: lower words.max_vocabulary, or take negative_sampling or hierarchical_softmax"
            )
        self.W = torch.from_numpy(_initial_rows(size, settings))
        self.C = torch.zeros(size - 1 if objective == "hierarchical_softmax" else size, settings.dim)
        self._subwords = SubwordRows.of(vocabulary, settings.subwords) if settings.subwords.buckets else None
        self._tree = HuffmanTree.of(vocabulary.counts) if objective == "hierarchical_softmax" else None
        self._reading = Reading(
            keep_thresholds(vocabulary.counts, settings.sample),
            settings.window,
            AliasTable.of(noise_distribution(vocabulary.counts, settings.noise_exponent)),
            settings.negatives if objective == "negative_sampling" else 0,
        )

    @property
    def state(self) -> dict[str, Floats]:
        """See `Engine.state`."""
        size = len(self.vocabulary)
        W, C = self.W.numpy(), self.C.numpy()
        state = {"input": W[:size], "output" if self._tree is None else "nodes": C}
        return state if self._subwords is None else state | {"ngrams": W[size:]}

    def vectors(self) -> dict[str, Floats]:
        """See `Engine.vectors`: with subwords `input` is the mean of a word's rows."""
        vectors = super().vectors()
        if self._subwords is not None:
            vectors["input"] = composed(vectors["input"], vectors["ngrams"], self._subwords)
        return vectors

    def train(self, stream: Ids, start: int, stop: int, key: tuple[int, int], seen: int, total: int) -> Result:
        """See `Engine.train`."""
        ids = read_only(stream, start, stop)
        cut = parts(start, stop, self.settings.threads, self.settings.seed, key)
        return together(self._part(ids, *part, seen, total, learn=True) for part in cut)

    def evaluate(self, stream: Ids) -> Result:
        """See `Engine.evaluate`."""
        ids = read_only(stream, 0, len(stream))
        return self._part(ids, 0, len(ids), heldout_state(self.settings.seed), 0, 1, learn=False)

    def _part(self, ids: Ids, start: int, stop: int, state: int, seen: int, total: int, learn: bool) -> Result:
        size, part = len(self.vocabulary), ids[start:stop]
        if len(bad := np.flatnonzero((part < -1) | (part >= size))):
            raise not_a_word(ids, start + int(bad[0]), size)
        examples, loss = 0, 0.0
        for example in self._reading.examples(ids, start, stop, state):
            target = self._target(example)
            rate = float(np.float32(self.rate_at(seen + self.settings.threads * example.before, total)))
            for hidden in self._hidden(example.contexts):
                examples += len(hidden.shares)
                if learn:
                    loss += step(self.W, self.C, hidden, target, rate)
                else:
                    loss += float(loss_of(self.W, self.C, hidden, target))
        return Result(int(np.count_nonzero(part >= 0)), examples, loss)

    def _target(self, example: Example) -> Target:
        if self._tree is not None:
            points, codes = self._tree.way(example.word)
            return HierarchicalSoftmax(torch.tensor(points), torch.tensor(codes))
        if self.settings.objective == "full_softmax":
            return FullSoftmax(example.word)
        return NegativeSampling(torch.tensor([example.word, *example.noise]))

    def _bag(self, word: int) -> Tensor:
        """Rows of `W` that the word's input vector is the mean of: its own, then those of its n-grams."""
        if self._subwords is None:
            return torch.tensor([word])
        return torch.tensor([word, *(len(self.vocabulary) + self._subwords.of_word(word).astype(np.int64))])

    def _hidden(self, contexts: list[int]) -> list[Hidden]:
        bags = [self._bag(word) for word in contexts]
        if self.model == "cbow":
            return [Hidden.mean_of(bags)]
        return [Hidden.of_each(bags[first : first + CONTEXTS]) for first in range(0, len(bags), CONTEXTS)]


def _initial_rows(size: int, settings: Word2Vec) -> Floats:
    """Own rows and n-gram rows before training, as the compiled engines have them."""
    dim, buckets = settings.dim, settings.subwords.buckets
    if buckets == 0:
        return initial_input(size, dim, settings.seed)[:, :dim]
    rows = np.empty((size + buckets, dim), dtype=np.float32)
    fill_with_chance(rows[:size], settings.seed, 0)
    fill_with_chance(rows[size:], settings.seed, 1)
    return rows
