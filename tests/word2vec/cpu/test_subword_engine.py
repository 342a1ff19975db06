import numpy as np
import pytest
from killing import Killed, Killer

from firth.config.text import Words
from firth.config.word2vec import Recipe, Subwords, Word2Vec
from firth.errors import ConfigError, IntegrityError
from firth.tokens.encode import build_store
from firth.tokens.store import WordStore
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.unknown import out_of_vocabulary
from firth.vectors.vectors import Vectors
from firth.word2vec.cpu import subword_engine
from firth.word2vec.engines import make_engine
from firth.word2vec.matrix_files import save_matrices
from firth.word2vec.schedule import Schedule
from firth.word2vec.train import train

SUBWORDS = Subwords(buckets=5000, shortest=3, longest=5)

TOPICS = (
    ("elephant", "giraffe", "crocodile", "hippopotamus", "rhinoceros", "antelope", "buffalo", "gorilla", "leopard"),
    ("saucepan", "cauliflower", "potatoes", "cinnamon", "vegetables", "breakfast", "dumplings", "chocolate", "parsley"),
)

MISSPELT = (
    ("elefant", "elephant"),
    ("crocodiles", "crocodile"),
    ("hippopotamuses", "hippopotamus"),
    ("cauliflowr", "cauliflower"),
    ("vegetable", "vegetables"),
    ("chocolates", "chocolate"),
)


def topical_sentences(count, seed):
    """Sentences of ten words about animals or about cooking."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(TOPICS[rng.integers(2)], 10)) for _ in range(count)]


@pytest.fixture(scope="module")
def spelt(tmp_path_factory):
    """A store of words that are spelt like words."""
    folder = tmp_path_factory.mktemp("spelt")
    build_store([topical_sentences(600, 0)], [topical_sentences(50, 1)], Words(min_count=1, shuffle=False), folder)
    return WordStore.open(folder)


def settings(**changes):
    recipe = Recipe(learning_rate=0.05, epochs=2)
    return Word2Vec(**{
        "dim": 16, "block_words": 1000, "sample": 0.0, "skipgram": recipe, "cbow": recipe, "subwords": SUBWORDS,
        "checkpoint_seconds": 1e-6, **changes,
    })  # fmt: skip


def trained(store, model, chosen):
    engine = make_engine(model, store.vocabulary, chosen)
    schedule = Schedule.of(store.train, chosen.block_words, chosen.recipe(model).epochs)
    losses = []
    for step in range(len(schedule)):
        epoch, index, block = schedule.at(step)
        result = engine.train(
            store.train, block.start, block.stop, (epoch, index), schedule.seen_before(step), schedule.total_words
        )
        assert result.words == block.words
        losses.append(result.mean_loss)
    engine.close()
    return engine, losses


def test_what_a_fresh_model_is(spelt):
    engine = make_engine("skipgram", spelt.vocabulary, settings(dim=20))
    state = engine.state
    assert {name: matrix.shape for name, matrix in state.items()} == {
        "input": (18, 20), "ngrams": (5000, 20), "output": (18, 20),
    }  # fmt: skip
    for name in ("input", "ngrams"):
        assert -1 / 20 <= state[name].min() < -0.95 / 20
        assert 0.95 / 20 < state[name].max() <= 1 / 20
    assert not np.isin(state["input"], state["ngrams"][:18]).any()
    assert not state["output"].any()


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_training_learns_and_one_thread_gives_the_same_bits_twice(spelt, model):
    (first, losses), (second, _), (other, _) = (trained(spelt, model, settings(seed=seed)) for seed in (3, 3, 4))
    assert losses[-1] < 0.95 * losses[0]
    for name, matrix in first.state.items():
        np.testing.assert_array_equal(matrix, second.state[name])
        assert not np.array_equal(matrix, other.state[name]), name


def test_threads_share_the_work(spelt):
    engine, losses = trained(spelt, "cbow", settings(threads=3))
    assert losses[-1] < losses[0]
    assert all(np.isfinite(matrix).all() for matrix in engine.state.values())


def test_evaluation_learns_nothing_and_repeats(spelt):
    engine, _ = trained(spelt, "skipgram", settings())
    before = {name: matrix.copy() for name, matrix in engine.state.items()}
    first = engine.evaluate(spelt.heldout)
    assert first == engine.evaluate(spelt.heldout)
    assert first.words == 500
    for name, matrix in engine.state.items():
        np.testing.assert_array_equal(matrix, before[name])


def test_an_id_outside_the_vocabulary_is_refused_before_it_becomes_an_address(spelt):
    engine = make_engine("cbow", spelt.vocabulary, settings())
    for bad in (18, 2**31 - 1, -2):
        stream = np.array([0, 1, 2, bad, 1], dtype=np.int32)
        with pytest.raises(IntegrityError, match=f"id {bad} at position 3"):
            engine.train(stream, 0, 5, (0, 0), 0, 5)
    with pytest.raises(ValueError, match="not within"):
        engine.train(stream, 0, 6, (0, 0), 0, 5)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_broken_off_and_resumed_gives_the_same_bytes(spelt, tmp_path, model):
    calls = []
    whole = train(spelt, model, settings(), tmp_path / "whole", lambda *_: None)
    with pytest.raises(Killed):
        train(spelt, model, settings(), tmp_path / "broken", Killer(8))
    again = train(spelt, model, settings(), tmp_path / "broken", lambda *_: calls.append(1))
    assert len(calls) == len(whole.history) - 7  # the eighth step was not saved
    assert set(whole.matrices) == {"input", "ngrams", "output"}
    for name, matrix in whole.matrices.items():
        np.testing.assert_array_equal(matrix, again.matrices[name])


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_misspelt_and_unseen_words_land_near_what_they_are_spelt_like(spelt, tmp_path, model):
    recipe = Recipe(learning_rate=0.1, epochs=6)
    engine, _ = trained(spelt, model, settings(skipgram=recipe, cbow=recipe))
    matrices = engine.vectors()
    save_matrices(tmp_path, spelt.vocabulary, matrices, SUBWORDS)
    vectors = Vectors.load(tmp_path)
    for word, near in MISSPELT:
        assert word not in vectors
        np.testing.assert_array_equal(vectors[word], out_of_vocabulary(word, matrices["ngrams"], SUBWORDS))
        found = [name for name, _ in vectors.most_similar(word, 10)]
        assert near in found[:5]
        topic = next(topic for topic in TOPICS if near in topic)
        assert set(found[:5]) <= set(topic)


def test_given_vectors_are_composed_and_what_training_goes_on_from_is_not(spelt):
    engine, _ = trained(spelt, "skipgram", settings())
    state, given = engine.state, engine.vectors()
    word = spelt.vocabulary.ids["giraffe"]
    rows = engine.subwords.of_word(word)
    expected = np.concatenate([state["input"][word : word + 1], state["ngrams"][rows]]).mean(axis=0)
    np.testing.assert_allclose(given["input"][word], expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(given["ngrams"], state["ngrams"])
    other = make_engine("skipgram", spelt.vocabulary, settings(seed=9))
    other.restore(state)
    np.testing.assert_array_equal(other.vectors()["input"], given["input"])
    with pytest.raises(IntegrityError, match="ngrams matrix"):
        other.restore({**state, "ngrams": state["ngrams"][:-1]})


def test_words_without_ngrams_train_by_their_own_row():
    words = Vocabulary(tuple("abcdef"), np.array([9, 8, 7, 6, 5, 4], dtype=np.int64))
    engine = make_engine("cbow", words, settings())
    before = {name: matrix.copy() for name, matrix in engine.state.items()}
    stream = np.array([0, 1, 2, 3, 4, 5, 0, 1, -1, 2, 3], dtype=np.int32)
    assert engine.train(stream, 0, len(stream), (0, 0), 0, 11).examples == 10
    assert not np.array_equal(engine.state["input"], before["input"]) or engine.state["output"].any()
    np.testing.assert_array_equal(engine.state["ngrams"], before["ngrams"])


def test_matrices_larger_than_the_memory_are_refused_with_their_size(spelt, monkeypatch):
    huge = settings(dim=4096, subwords=Subwords(buckets=20_000_000))
    with pytest.raises(ConfigError, match=r"buckets = 20000000 with dim = 4096: the matrices take 327.7 GB; this mach"):
        make_engine("skipgram", spelt.vocabulary, huge)

    def refused(*_):
        raise MemoryError

    monkeypatch.setattr(subword_engine, "aligned", refused)
    with pytest.raises(
        ConfigError, match=r"buckets = 2000000 with dim = 100: the matrices take 0.9 GB; so much is not"
    ):
        make_engine("skipgram", spelt.vocabulary, settings(dim=100, subwords=Subwords(buckets=2_000_000)))
