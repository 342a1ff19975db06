"""The engine on CPUs: compiled kernels that read a stretch of the id stream at a time, one a thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from firth.choices import ModelName
from firth.config.word2vec import Word2Vec
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.cpu.kernels import kernel
from firth.word2vec.engine import Engine, Ids, Result
from firth.word2vec.matrices import Floats, aligned, check_aligned, chunks_of, initial_input
from firth.word2vec.sampling import AliasTable, keep_thresholds, noise_distribution
from firth.word2vec.stretches import heldout_state, not_a_word, parts, read_only, together


class NumbaEngine(Engine):
    """Padded, aligned matrices and a pool of threads that run the compiled kernel on them."""

    def __init__(self, model: ModelName, vocabulary: Vocabulary, settings: Word2Vec) -> None:
        super().__init__(model, vocabulary, settings)
        counts = vocabulary.counts
        self.chunks = chunks_of(settings.dim)
        self.input = initial_input(len(counts), settings.dim, settings.seed)
        self.output = aligned(len(counts), settings.dim)
        self.keep = keep_thresholds(counts, settings.sample)
        self.noise = AliasTable.of(noise_distribution(counts, settings.noise_exponent))
        self._kernel = kernel(model, self.chunks, settings.negatives)
        self._pool = ThreadPoolExecutor(settings.threads) if settings.threads > 1 else None

    @property
    def state(self) -> dict[str, Floats]:
        """Both matrices, as views without the padding."""
        return {"input": self.input[:, : self.settings.dim], "output": self.output[:, : self.settings.dim]}

    def train(self, stream: Ids, start: int, stop: int, key: tuple[int, int], seen: int, total: int) -> Result:
        """See `Engine.train`; with several threads, each takes a part of the stretch, all on the same rows."""
        pieces = parts(start, stop, self.settings.threads, self.settings.seed, key)

        def run(piece: tuple[int, int, int]) -> Result:
            first, last, state = piece
            return self._run(stream, first, last, self.learning_rate, seen, total, state)

        return run(pieces[0]) if self._pool is None else together(self._pool.map(run, pieces))

    def evaluate(self, stream: Ids) -> Result:
        """See `Engine.evaluate`."""
        return self._run(stream, 0, len(stream), 0.0, 0, max(1, len(stream)), heldout_state(self.settings.seed))

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _run(self, stream: Ids, start: int, stop: int, rate: float, seen: int, total: int, state: int) -> Result:
        ids = read_only(stream, start, stop)
        for name, matrix in (("input", self.input), ("output", self.output)):
            check_aligned(matrix, len(self.keep), self.chunks, name)
        settings = self.settings
        words, examples, position, loss = self._kernel(
            ids, start, stop, self.input, self.output, self.keep, self.noise.thresholds, self.noise.others,
            settings.window, rate, settings.min_learning_rate, seen, settings.threads, total, np.uint64(state),
        )  # fmt: skip
        if words < 0:
            raise not_a_word(ids, position, len(self.keep))
        return Result(words, examples, loss)
