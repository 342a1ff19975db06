import numpy as np
import pytest

from firth.config.text import Words
from firth.config.word2vec import Recipe, Word2Vec
from firth.tokens.encode import build_store
from firth.tokens.store import WordStore


def topical_documents(count, seed):
    """Documents of sentences, each sentence about one of two topics of 20 words."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 20, (count, 12)) + 20 * rng.integers(0, 2, (count, 1))
    sentences = [" ".join(f"w{word}" for word in row) for row in rows.tolist()]
    return [sentences[i : i + 5] for i in range(0, count, 5)]


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    build_store(topical_documents(500, 0), topical_documents(50, 1), Words(min_count=1, shuffle=False), folder)
    return WordStore.open(folder)


@pytest.fixture(scope="session")
def settings():
    recipe = Recipe(learning_rate=0.05, epochs=2)
    return Word2Vec(dim=16, block_words=1000, checkpoint_seconds=1e-6, skipgram=recipe, cbow=recipe)
