"""The readable engine: value by value what the compiled ones do, and trained end to end with every objective."""

import numpy as np
import pytest
from killing import Killed, Killer

from firth.config.word2vec import Recipe, Subwords, Word2Vec
from firth.errors import ConfigError, IntegrityError
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.engines import make_engine
from firth.word2vec.plain.engine import FULL_SOFTMAX_WORDS, TorchEngine
from firth.word2vec.stretches import heldout_state, parts
from firth.word2vec.subwords import SubwordRows, composed
from firth.word2vec.train import train

COMBINATIONS = [
    ("negative_sampling", "numba"),
    ("negative_sampling", "torch"),
    ("hierarchical_softmax", "numba"),
    ("hierarchical_softmax", "torch"),
    ("full_softmax", "torch"),
]


def settings_of(**changes):
    recipe = Recipe(learning_rate=0.1, epochs=1)
    return Word2Vec(**{"dim": 16, "sample": 0.0, "skipgram": recipe, "cbow": recipe, **changes})


def stream_of(words, size, seed=0):
    """Zipf-like ids in sentences of about nine words: words repeat in windows, and noise repeats."""
    weights = 1.0 / np.arange(1, size + 1)
    stream = np.random.default_rng(seed).choice(size, words, p=weights / weights.sum()).astype(np.int32)
    stream[9::10] = -1
    return stream


def vocabulary_of(stream, size, spell="w{}".format):
    counts = np.bincount(stream[stream >= 0], minlength=size).astype(np.int64) + 1
    return Vocabulary(tuple(spell(i) for i in range(size)), counts)


def compare(model, stream, size, vocabulary=None, **changes):
    """Both engines over two blocks and a look at the held-out loss; what they learn and say must be the same."""
    vocabulary = vocabulary or vocabulary_of(stream, size)
    engines = [
        make_engine(model, vocabulary, settings_of(backend=backend, **changes)) for backend in ("numba", "torch")
    ]
    half = len(stream) // 2
    blocks = [(0, half, (0, 0), 0), (half, len(stream), (0, 1), int((stream[:half] >= 0).sum()))]
    for start, stop, key, seen in blocks:
        numba, torch = (engine.train(stream, start, stop, key, seen, len(stream)) for engine in engines)
        assert (numba.words, numba.examples) == (torch.words, torch.examples)
        assert torch.loss == pytest.approx(numba.loss, rel=2e-5)
    numba, torch = (engine.evaluate(stream) for engine in engines)
    assert numba.examples == torch.examples
    assert torch.loss == pytest.approx(numba.loss, rel=2e-5)
    for mine, plain in ([engine.state for engine in engines], [engine.vectors() for engine in engines]):
        assert mine.keys() == plain.keys()
        for name, matrix in plain.items():
            np.testing.assert_allclose(mine[name], matrix, rtol=2e-4, atol=2e-6, err_msg=name)
    return engines


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("changes", [{}, {"window": 2, "sample": 0.02}, {"negatives": 9, "dim": 33}])
def test_negative_sampling_is_the_compiled_engines(model, changes):
    compare(model, stream_of(400, 50), 50, **changes)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_two_words_of_which_one_is_nearly_all_the_noise(model):
    stream = np.array([0, 0, 0, 1, 0, -1, 1, 1, 0, 0, 0, 0] * 5, dtype=np.int32)
    vocabulary = Vocabulary(("the", "rare"), np.array([10**12, 1]))
    compare(model, stream, 2, vocabulary, noise_exponent=1.0)


def test_a_sentence_longer_than_the_buffer_is_cut_at_the_same_word():
    rng = np.random.default_rng(1)
    compare("cbow", rng.integers(0, 40, 2300, dtype=np.int32), 40, window=1)


def test_threads_cut_a_block_into_the_same_parts():
    """Two threads write the same rows at the same time, so that only what does not depend on rows is compared."""
    stream = stream_of(600, 50)
    results = []
    for backend in ("numba", "torch"):
        engine = make_engine("cbow", vocabulary_of(stream, 50), settings_of(backend=backend, threads=3))
        results.append(engine.train(stream, 0, 600, (2, 1), 0, 600))
        engine.close()
    assert (results[0].words, results[0].examples) == (results[1].words, results[1].examples)
    assert results[0].loss == pytest.approx(results[1].loss, rel=0.01)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_subwords_are_the_compiled_engines(model):
    """Sentences of words that share no row: where it cannot be seen that the compiled engine writes rows back late."""
    size = 12
    stream = np.array(
        [[i, (i + 5) % size, (i + 2) % size, (i + 9) % size, -1] for i in range(size)] * 6, dtype=np.int32
    ).ravel()
    vocabulary = vocabulary_of(
        stream, size, lambda i: "".join(map(chr, range(0x3B1 + 5 * i, 0x3B1 + 5 * i + 3 + i % 3)))
    )
    subwords = Subwords(buckets=20_000, shortest=3, longest=4)
    rows = SubwordRows.of(vocabulary, subwords)
    used = rows.rows.tolist()
    assert len(set(used)) == len(used) > 20
    _, engine = compare(model, stream, size, vocabulary, subwords=subwords)
    state = engine.state
    assert {name: matrix.shape for name, matrix in state.items()} == {
        "input": (size, 16), "ngrams": (20_000, 16), "output": (size, 16),
    }  # fmt: skip
    np.testing.assert_allclose(engine.vectors()["input"], composed(state["input"], state["ngrams"], rows))


@pytest.mark.parametrize("objective", ["negative_sampling", "hierarchical_softmax", "full_softmax"])
@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_every_objective_learns_with_subwords(objective, model):
    stream = stream_of(300, 30)
    settings = settings_of(backend="torch", objective=objective, subwords=Subwords(buckets=50))
    engine = make_engine(model, vocabulary_of(stream, 30), settings)
    before = engine.evaluate(stream), engine.vectors()["input"]
    for epoch in range(3):
        engine.train(stream, 0, len(stream), (epoch, 0), 0, 10**6)
    assert engine.evaluate(stream).mean_loss < before[0].mean_loss
    assert not np.array_equal(engine.vectors()["input"], before[1])


@pytest.mark.parametrize("objective", ["negative_sampling", "hierarchical_softmax", "full_softmax"])
def test_evaluation_learns_nothing_and_repeats(objective):
    stream = stream_of(200, 30)
    engine = make_engine("skipgram", vocabulary_of(stream, 30), settings_of(backend="torch", objective=objective))
    engine.train(stream, 0, 200, (0, 0), 0, 200)
    before = {name: matrix.copy() for name, matrix in engine.state.items()}
    first = engine.evaluate(stream)
    assert first == engine.evaluate(stream)
    assert first.examples > 50
    for name, matrix in engine.state.items():
        np.testing.assert_array_equal(matrix, before[name])
    assert engine.evaluate(stream[:0]).examples == 0


def test_untrained_losses_are_those_of_a_coin_and_of_a_guess():
    """Output rows start at 0: a yes or no costs log 2, one of V words log V."""
    stream = stream_of(200, 32)
    vocabulary = Vocabulary(tuple(f"w{i}" for i in range(32)), np.full(32, 9))
    expected = {"negative_sampling": 6 * np.log(2), "hierarchical_softmax": np.log(32), "full_softmax": np.log(32)}
    for objective, loss in expected.items():
        engine = make_engine("cbow", vocabulary, settings_of(backend="torch", objective=objective))
        assert engine.evaluate(stream).mean_loss == pytest.approx(loss, rel=1e-6)


def test_full_softmax_refuses_a_vocabulary_that_is_too_large():
    counts = np.ones(FULL_SOFTMAX_WORDS + 1, np.int64)
    vocabulary = Vocabulary(tuple(map(str, range(len(counts)))), counts)
    with pytest.raises(ConfigError, match=r"full_softmax: a vocabulary of 50001 words .* words\.max_vocabulary"):
        make_engine("cbow", vocabulary, settings_of(objective="full_softmax"))


def test_an_id_outside_the_vocabulary_is_refused():
    engine = make_engine("cbow", vocabulary_of(stream_of(50, 3), 3), settings_of(backend="torch"))
    for bad in (3, -2):
        stream = np.array([0, 1, 2, bad, 1], dtype=np.int32)
        with pytest.raises(IntegrityError, match=f"id {bad} at position 3"):
            engine.train(stream, 0, 5, (0, 0), 0, 5)
        with pytest.raises(IntegrityError, match=f"id {bad} at position 3"):
            engine.evaluate(stream)
    with pytest.raises(ValueError, match="not within"):
        engine.train(stream, 0, 6, (0, 0), 0, 5)


def test_automatic_choice_takes_it_for_what_only_it_can_do():
    vocabulary = vocabulary_of(stream_of(50, 3), 3)
    assert isinstance(make_engine("cbow", vocabulary, settings_of(objective="full_softmax")), TorchEngine)
    both = settings_of(objective="hierarchical_softmax", subwords=Subwords(buckets=10))
    assert set(make_engine("cbow", vocabulary, both).state) == {"input", "ngrams", "nodes"}


def test_parts_share_a_stretch_and_have_chances_of_their_own():
    cut = parts(100, 1103, 4, 7, (2, 5))
    assert [start for start, _, _ in cut] == [100, *(stop for _, stop, _ in cut[:-1])]
    assert cut[-1][1] == 1103
    assert {stop - start for start, stop, _ in cut} == {250, 251}
    keys = [(7, (2, 5)), (7, (2, 6)), (7, (3, 5)), (8, (2, 5))]
    states = [state for seed, key in keys for _, _, state in parts(0, 10, 4, seed, key)]
    assert len({*states, heldout_state(7), heldout_state(8)}) == 4 * 4 + 2
    assert parts(0, 10, 4, 7, (2, 5))[2][2] == cut[2][2]  # not of where it lies


def unwatched(_step, _metrics):
    pass


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize(("objective", "backend"), COMBINATIONS)
def test_trained_end_to_end(store, settings, tmp_path, model, objective, backend):
    recipe = Recipe(learning_rate=0.05, epochs=1)
    changes = {"objective": objective, "backend": backend, "skipgram": recipe, "cbow": recipe}
    settings = settings.model_copy(update=changes)
    untrained = make_engine(model, store.vocabulary, settings).evaluate(store.heldout).mean_loss
    trained = train(store, model, settings, tmp_path, unwatched)
    assert trained.metrics["heldout/loss"] < untrained
    assert sum(row["words"] for row in trained.history) == trained.words == 6000
    hierarchical = objective == "hierarchical_softmax"
    shapes = {name: matrix.shape for name, matrix in trained.matrices.items()}
    assert shapes == {"input": (40, 16), "nodes" if hierarchical else "output": (39 if hierarchical else 40, 16)}
    assert all(np.isfinite(matrix).all() and matrix.any() for matrix in trained.matrices.values())


@pytest.mark.parametrize(("objective", "backend"), COMBINATIONS[1:])
def test_broken_off_and_resumed_gives_the_same_bytes(store, settings, tmp_path, objective, backend):
    recipe = Recipe(learning_rate=0.05, epochs=1)
    settings = settings.model_copy(update={"objective": objective, "backend": backend, "cbow": recipe})
    unbroken = train(store, "cbow", settings, tmp_path / "unbroken", unwatched)
    with pytest.raises(Killed):
        train(store, "cbow", settings, tmp_path / "broken", Killer(3))
    resumed = train(store, "cbow", settings, tmp_path / "broken", unwatched)
    assert resumed.history == unbroken.history
    assert resumed.metrics == unbroken.metrics
    for name, matrix in unbroken.matrices.items():
        np.testing.assert_array_equal(resumed.matrices[name], matrix)
