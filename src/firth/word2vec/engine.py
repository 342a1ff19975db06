"""One model in memory: both matrices, its chances, and a kernel that trains on stretches of an id stream."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.config.word2vec import ModelName, Word2Vec
from firth.errors import DataError, IntegrityError
from firth.training.splitmix import stream_start
from firth.word2vec.kernels import kernel
from firth.word2vec.matrices import Floats, aligned, check_aligned, chunks_of, initial_input
from firth.word2vec.sampling import AliasTable, keep_thresholds, noise_distribution

Ids = NDArray[np.int32]

_TRAIN, _HELDOUT = 0, 1


@dataclass(frozen=True)
class Result:
    """What a stretch of the stream gave: `words` read, `examples` (pairs, or centres for CBOW), their summed `loss`."""

    words: int
    examples: int
    loss: float

    @property
    def mean_loss(self) -> float:
        """Negative-sampling loss per example; 0 where there was none."""
        return self.loss / self.examples if self.examples else 0.0


class Engine:
    """Input and output matrices of `model`, and their training.

    `counts` are the occurrences of each word of the vocabulary in the training stream (vocabulary,).
    """

    def __init__(self, model: ModelName, counts: NDArray[np.int64], settings: Word2Vec) -> None:
        if len(counts) < 2:
            raise DataError(
                f"the vocabulary has {len(counts)} word(s): negative sampling needs 2 or more; "
                "lower words.min_count or add text"
            )
        self.settings = settings
        self.learning_rate = settings.recipe(model).learning_rate
        self.chunks = chunks_of(settings.dim)
        self.input = initial_input(len(counts), settings.dim, settings.seed)
        self.output = aligned(len(counts), settings.dim)
        self.keep = keep_thresholds(counts, settings.sample)
        self.noise = AliasTable.of(noise_distribution(counts, settings.noise_exponent))
        self._kernel = kernel(model, self.chunks, settings.negatives)
        self._pool = ThreadPoolExecutor(settings.threads) if settings.threads > 1 else None

    @property
    def matrices(self) -> dict[str, Floats]:
        """`input` and `output` (vocabulary, dim), as views without the padding."""
        return {"input": self.input[:, : self.settings.dim], "output": self.output[:, : self.settings.dim]}

    def restore(self, matrices: dict[str, Floats]) -> None:
        """Take over what `matrices` returned; another shape is refused."""
        for name, mine in self.matrices.items():
            if name not in matrices or matrices[name].shape != mine.shape:
                raise IntegrityError(f"the checkpoint's {name} matrix does not have the shape {mine.shape}")
            mine[:] = matrices[name]

    def rate_at(self, words: int, total: int) -> float:
        """The learning rate after `words` of `total` corpus words."""
        return self.learning_rate * max(1.0 - words / total, self.settings.min_learning_rate)

    def train(self, stream: Ids, start: int, stop: int, key: tuple[int, int], seen: int, total: int) -> Result:
        """Train on `stream[start:stop]`.

        `key` is (epoch, block), which with the seed determines all random numbers. `seen` corpus words came before this
        stretch, all epochs together, of `total` in the whole training.
        """
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
        """The loss on `stream` with subsampling, windows and noise the same at every call; nothing is learnt."""
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
