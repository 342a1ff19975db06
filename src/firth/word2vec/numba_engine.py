"""The engine on CPUs: compiled kernels that read a stretch of the id stream at a time, one a thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from firth.config.word2vec import ModelName, Word2Vec
from firth.errors import IntegrityError
from firth.tokens.vocabulary import Vocabulary
from firth.training.splitmix import stream_start
from firth.word2vec.engine import Engine, Ids, Result
from firth.word2vec.kernels import kernel
from firth.word2vec.matrices import Floats, aligned, check_aligned, chunks_of, initial_input
from firth.word2vec.sampling import AliasTable, keep_thresholds, noise_distribution

_TRAIN, _HELDOUT = 0, 1


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
        threads = self.settings.threads
        cuts = [start + (stop - start) * i // threads for i in range(threads + 1)]
        states = [stream_start(self.settings.seed, _TRAIN, *key, thread) for thread in range(threads)]

        def part(thread: int) -> Result:
            lo, hi = cuts[thread], cuts[thread + 1]
            return self._run(stream, lo, hi, self.learning_rate, seen, total, states[thread])

        if self._pool is None:
            return part(0)
        parts = list(self._pool.map(part, range(threads)))
        return Result(sum(p.words for p in parts), sum(p.examples for p in parts), sum(p.loss for p in parts))

    def evaluate(self, stream: Ids) -> Result:
        """See `Engine.evaluate`."""
        state = stream_start(self.settings.seed, _HELDOUT)
        return self._run(stream, 0, len(stream), 0.0, 0, max(1, len(stream)), state)

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _run(self, stream: Ids, start: int, stop: int, rate: float, seen: int, total: int, state: int) -> Result:
        ids = _read_only(stream)
        if not 0 <= start <= stop <= len(ids):
            raise ValueError(f"[{start}, {stop}) is not within the stream of {len(ids)} ids")
        for name, matrix in (("input", self.input), ("output", self.output)):
            check_aligned(matrix, len(self.keep), self.chunks, name)
        settings = self.settings
        words, examples, position, loss = self._kernel(
            ids, start, stop, self.input, self.output, self.keep, self.noise.thresholds, self.noise.others,
            settings.window, rate, settings.min_learning_rate, seen, settings.threads, total, np.uint64(state),
        )  # fmt: skip
        if words < 0:
            raise IntegrityError(
                f"id {int(ids[position])} at position {position} of the stream is not in the vocabulary of "
                f"{len(self.keep)} words"
            )
        return Result(words, examples, loss)


def _read_only(stream: Ids) -> Ids:
    """The stream in the one form that the kernel is compiled for."""
    ids = np.ascontiguousarray(np.asarray(stream), dtype="<i4").view()
    ids.flags.writeable = False
    return ids
