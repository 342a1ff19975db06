"""The engine on CPUs for vectors that are made of character n-grams."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from firth.choices import ModelName
from firth.config.word2vec import Word2Vec
from firth.errors import ConfigError
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.cpu.subword_kernels import subword_kernel
from firth.word2vec.engine import Engine, Ids, Result
from firth.word2vec.matrices import Floats, aligned, check_aligned, chunks_of
from firth.word2vec.sampling import AliasTable, keep_thresholds, noise_distribution
from firth.word2vec.stretches import heldout_state, not_a_word, parts, read_only, together
from firth.word2vec.subwords import SubwordRows, composed, fill_with_chance


class SubwordEngine(Engine):
    """Own rows of words, n-gram rows, output rows, and a pool of threads that run the compiled kernel on them."""

    def __init__(self, model: ModelName, vocabulary: Vocabulary, settings: Word2Vec) -> None:
        """Matrices in their initial state.

        Raises:
            ConfigError: they do not fit in memory; how much they need.
        """
        super().__init__(model, vocabulary, settings)
        counts, dim, buckets = vocabulary.counts, settings.dim, settings.subwords.buckets
        self.chunks = chunks_of(dim)
        need = (2 * len(counts) + buckets) * self.chunks * 64
        if need > _memory():
            raise ConfigError(_too_much(need, buckets, dim, f"; this machine has {_memory() / 1e9:.1f} GB"))
        try:
            self.input, self.ngrams, self.output = (aligned(rows, dim) for rows in (len(counts), buckets, len(counts)))
            fill_with_chance(self.input[:, :dim], settings.seed, 0)
            fill_with_chance(self.ngrams[:, :dim], settings.seed, 1)
        except MemoryError:
            raise ConfigError(_too_much(need, buckets, dim, "; so much is not free")) from None
        self.subwords = SubwordRows.of(vocabulary, settings.subwords)
        self._most = self.subwords.most
        self.keep = keep_thresholds(counts, settings.sample)
        self.noise = AliasTable.of(noise_distribution(counts, settings.noise_exponent))
        self._kernel = subword_kernel(model, self.chunks, settings.negatives)
        self._pool = ThreadPoolExecutor(settings.threads) if settings.threads > 1 else None

    @property
    def state(self) -> dict[str, Floats]:
        """The three matrices, as views without the padding; `input` holds own rows."""
        dim = self.settings.dim
        return {"input": self.input[:, :dim], "ngrams": self.ngrams[:, :dim], "output": self.output[:, :dim]}

    def vectors(self) -> dict[str, Floats]:
        """See `Engine.vectors`; `input` is the mean of each word's own row and its n-grams' rows."""
        matrices = super().vectors()
        return {**matrices, "input": composed(matrices["input"], matrices["ngrams"], self.subwords)}

    def train(self, stream: Ids, start: int, stop: int, key: tuple[int, int], seen: int, total: int) -> Result:
        """See `Engine.train`; with several threads, each takes a part of the stretch, all on the same rows."""
        ids = read_only(stream, start, stop)

        def run(part: tuple[int, int, int]) -> Result:
            return self._run(ids, *part, self.learning_rate, seen, total)

        cut = parts(start, stop, self.settings.threads, self.settings.seed, key)
        return together(map(run, cut) if self._pool is None else self._pool.map(run, cut))

    def evaluate(self, stream: Ids) -> Result:
        """See `Engine.evaluate`."""
        ids = read_only(stream, 0, len(stream))
        return self._run(ids, 0, len(ids), heldout_state(self.settings.seed), 0.0, 0, max(1, len(ids)))

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _run(self, ids: Ids, start: int, stop: int, state: int, rate: float, seen: int, total: int) -> Result:
        settings, size = self.settings, len(self.keep)
        check_aligned(self.input, size, self.chunks, "input")
        check_aligned(self.ngrams, settings.subwords.buckets, self.chunks, "ngrams")
        check_aligned(self.output, size, self.chunks, "output")
        words, examples, position, loss = self._kernel(
            ids, start, stop, self.input, self.ngrams, self.output, self.subwords.rows, self.subwords.offsets,
            self._most, self.keep, self.noise.thresholds, self.noise.others, settings.window, rate,
            settings.min_learning_rate, seen, settings.threads, total, np.uint64(state),
        )  # fmt: skip
        if words < 0:
            raise not_a_word(ids, position, size)
        return Result(words, examples, loss)


def _memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _too_much(need: int, buckets: int, dim: int, what: str) -> str:
    return f"word2vec.subwords.buckets = {buckets} with dim = {dim}: the matrices take {need / 1e9:.1f} GB{what}"
