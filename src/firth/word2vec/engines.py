"""The choice among the engines: by what is trained, and on what."""

from __future__ import annotations

from firth.choices import Backend, ModelName
from firth.config.word2vec import Word2Vec
from firth.errors import ConfigError
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.engine import Engine


def backend_of(settings: Word2Vec) -> Backend:
    """The backend that `settings` choose, `auto` resolved; one that cannot do what is asked is refused.

    `auto` never takes the GPU: what a machine happens to hold must not change what a pipeline writes.

    Raises:
        ConfigError: the key, and what can do it.
    """
    sampled, whole_words = settings.objective == "negative_sampling", settings.subwords.buckets == 0
    can: dict[Backend, bool] = {
        "numba": sampled or (settings.objective == "hierarchical_softmax" and whole_words),
        "torch": True,
        "triton": sampled and whole_words,
    }
    if settings.backend == "auto":
        return next(backend for backend, able in can.items() if able)
    if not can[settings.backend]:
        what = settings.objective + ("" if whole_words else " with subwords")
        able = ", ".join(backend for backend, able in can.items() if able)
        raise ConfigError(f"word2vec.backend = {settings.backend}: cannot train {what}; {able} can")
    return settings.backend


def make_engine(model: ModelName, vocabulary: Vocabulary, settings: Word2Vec) -> Engine:
    """An untrained `model` over `vocabulary`, by the backend that `settings` choose."""
    backend = backend_of(settings)
    if backend == "torch":
        from firth.word2vec.plain.engine import TorchEngine

        return TorchEngine(model, vocabulary, settings)
    if backend == "triton":
        from firth.word2vec.gpu.engine import TritonEngine

        return TritonEngine(model, vocabulary, settings)
    if settings.objective == "hierarchical_softmax":
        from firth.word2vec.cpu.tree_engine import HierarchicalEngine

        return HierarchicalEngine(model, vocabulary, settings)
    if settings.subwords.buckets:
        from firth.word2vec.cpu.subword_engine import SubwordEngine

        return SubwordEngine(model, vocabulary, settings)
    from firth.word2vec.cpu.engine import NumbaEngine

    return NumbaEngine(model, vocabulary, settings)
