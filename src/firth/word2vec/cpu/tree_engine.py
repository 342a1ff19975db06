"""The engine of hierarchical softmax on CPUs: compiled, and with several threads on the same rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from firth.choices import ModelName
from firth.config.word2vec import Word2Vec
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.cpu.tree_kernels import kernel
from firth.word2vec.engine import Engine, Ids, Result
from firth.word2vec.huffman import HuffmanTree
from firth.word2vec.matrices import Floats, aligned, check_aligned, chunks_of, initial_input
from firth.word2vec.sampling import keep_thresholds
from firth.word2vec.stretches import heldout_state, not_a_word, parts, read_only, together


class HierarchicalEngine(Engine):
    """Padded, aligned matrices, the Huffman tree, and a pool of threads that run the compiled kernel on them."""

    def __init__(self, model: ModelName, vocabulary: Vocabulary, settings: Word2Vec) -> None:
        super().__init__(model, vocabulary, settings)
        self.chunks = chunks_of(settings.dim)
        self.input = initial_input(len(vocabulary), settings.dim, settings.seed)
        self.nodes = aligned(len(vocabulary) - 1, settings.dim)
        self.keep = keep_thresholds(vocabulary.counts, settings.sample)
        self.tree = HuffmanTree.of(vocabulary.counts)
        self._longest = self.tree.longest
        self._kernel = kernel(model, self.chunks)
        self._pool = ThreadPoolExecutor(settings.threads) if settings.threads > 1 else None

    @property
    def state(self) -> dict[str, Floats]:
        """Both matrices, as views without the padding."""
        return {"input": self.input[:, : self.settings.dim], "nodes": self.nodes[:, : self.settings.dim]}

    def train(self, stream: Ids, start: int, stop: int, key: tuple[int, int], seen: int, total: int) -> Result:
        """See `Engine.train`; with several threads, each takes a part of the stretch, all on the same rows."""
        ids = read_only(stream, start, stop)
        cut = parts(start, stop, self.settings.threads, self.settings.seed, key)

        def run(part: tuple[int, int, int]) -> Result:
            return self._part(ids, *part, self.learning_rate, seen, total)

        return together(map(run, cut) if self._pool is None else self._pool.map(run, cut))

    def evaluate(self, stream: Ids) -> Result:
        """See `Engine.evaluate`."""
        ids = read_only(stream, 0, len(stream))
        return self._part(ids, 0, len(ids), heldout_state(self.settings.seed), 0.0, 0, 1)

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _part(self, ids: Ids, start: int, stop: int, state: int, rate: float, seen: int, total: int) -> Result:
        settings, tree = self.settings, self.tree
        check_aligned(self.input, len(self.vocabulary), self.chunks, "input")
        check_aligned(self.nodes, len(self.vocabulary) - 1, self.chunks, "nodes")
        words, examples, position, loss = self._kernel(
            ids, start, stop, self.input, self.nodes, self.keep, tree.points, tree.codes, tree.offsets, self._longest,
            settings.window, rate, settings.min_learning_rate, seen, settings.threads, total, np.uint64(state),
        )  # fmt: skip
        if words < 0:
            raise not_a_word(ids, position, len(self.vocabulary))
        return Result(words, examples, loss)
