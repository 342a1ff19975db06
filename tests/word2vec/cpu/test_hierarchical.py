"""The compiled hierarchical softmax against the plain PyTorch steps, and as an engine."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.config.word2vec import Recipe, Word2Vec
from firth.errors import ConfigError, IntegrityError
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.engines import make_engine


def settings_of(rate=0.1, **changes):
    recipe = Recipe(learning_rate=rate, epochs=1)
    return Word2Vec(
        **{"dim": 33, "objective": "hierarchical_softmax", "skipgram": recipe, "cbow": recipe, **changes},
    )


def named(counts):
    return Vocabulary(tuple(f"w{i}" for i in range(len(counts))), np.asarray(counts, dtype=np.int64))


def topical(sentences=300, seed=0):
    """Sentences of nine words, each about one of two topics of 20 words."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 20, (sentences, 9)) + 20 * rng.integers(0, 2, (sentences, 1))
    return np.concatenate([rows, np.full((sentences, 1), -1)], axis=1).astype(np.int32).ravel()


def compare(model, stream, counts, seed=0, **changes):
    """The compiled engine and the readable one, from the same random matrices."""
    rng = np.random.default_rng(seed)
    results, states = [], []
    for backend in ("numba", "torch"):
        engine = make_engine(model, named(counts), settings_of(backend=backend, seed=seed, **changes))
        if not states:
            start = {name: rng.normal(size=m.shape).astype(np.float32) / 4 for name, m in engine.state.items()}
        engine.restore(start)
        done = engine.train(stream, 0, len(stream), (0, 0), 0, 2 * max(1, len(stream)))
        results.append((done, engine.evaluate(stream)))
        states.append(engine.state)
    for numba, torch in zip(*results, strict=True):
        assert (numba.words, numba.examples) == (torch.words, torch.examples)
        assert numba.loss == pytest.approx(torch.loss, rel=1e-5)
    for name in states[0]:
        np.testing.assert_allclose(states[0][name], states[1][name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize(("dim", "window"), [(16, 5), (33, 9), (33, 2), (1, 1)])
def test_the_compiled_steps_are_the_references(model, dim, window):
    weights = 1.0 / np.arange(1, 51)
    stream = np.random.default_rng(dim).choice(50, 300, p=weights / weights.sum()).astype(np.int32)
    stream[::11] = -1
    counts = np.bincount(stream[stream >= 0], minlength=50) + 1
    compare(model, stream, counts, dim=dim, window=window, sample=0.02)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1, 4), max_size=40), st.integers(0, 2**31), st.sampled_from(["skipgram", "cbow"]))
def test_any_stream_over_a_tiny_vocabulary(stream, seed, model):
    """Every window repeats words: a word that is both contexts of a step gets both gains."""
    compare(model, np.array(stream, dtype=np.int32), [9, 4, 4, 2, 1], seed, sample=0.0)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_two_words(model):
    compare(model, np.array([0, 0, 1, 0, -1, 1, 1, 0] * 4, dtype=np.int32), [5, 3], sample=0.0)


def test_a_tree_sixty_turns_deep():
    counts = [1, 1]
    while len(counts) < 61:
        counts.append(counts[-1] + counts[-2])
    rng = np.random.default_rng(0)
    compare("skipgram", rng.integers(0, 61, 200, dtype=np.int32), counts[::-1], sample=0.0)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("turns", [1, 3, 4, 5, 8, 9, 12, 13, 16, 17])
def test_ways_of_all_lengths(model, turns):
    """Tiles take eight turns, or four: what is left over of the last one must not be learnt from."""
    counts = [1, *(2**i for i in range(turns))]
    rng = np.random.default_rng(turns)
    compare(model, rng.integers(0, turns + 1, 60, dtype=np.int32), counts[::-1], sample=0.0)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_hopeless_turns_give_a_finite_loss_that_does_not_overflow(model):
    """Scores of 29,700: a turn that was sure to be wrong costs 40 bits, at which its odds are cut."""
    counts = [1, *(2**i for i in range(40))][::-1]
    engine = make_engine(model, named(counts), settings_of(rate=1e-9, sample=0.0, window=1))
    engine.restore({"input": np.full((41, 33), 30, np.float32), "nodes": np.full((40, 33), 30, np.float32)})
    stream = np.array([0, 40, 0, 39, -1] * 400, dtype=np.int32)
    result = engine.evaluate(stream)
    contexts = [1, 2, 2, 1] if model == "skipgram" else [1, 1, 1, 1]
    wrong = sum(int(engine.tree.way(word)[1].sum()) * n for word, n in zip(stream[:4], contexts, strict=True))
    assert wrong > 20
    assert result.loss == pytest.approx(400 * wrong * 40 * math.log(2), rel=1e-5)
    diverged = {name: matrix.copy() for name, matrix in engine.state.items()}
    diverged["nodes"][engine.tree.way(40)[0][20], 3] = np.nan
    engine.restore(diverged)
    assert math.isnan(engine.evaluate(stream).loss)


def trained(model, stream, epochs=4, **changes):
    engine = make_engine(model, named(np.bincount(stream[stream >= 0])), settings_of(sample=0.0, **changes))
    words = int((stream >= 0).sum())
    losses = [
        engine.train(stream, 0, len(stream), (epoch, 0), epoch * words, epochs * words).mean_loss
        for epoch in range(epochs)
    ]
    engine.close()
    return engine, losses


@pytest.mark.parametrize(("model", "rate"), [("skipgram", 0.1), ("cbow", 0.2)])
def test_words_of_a_topic_end_together(model, rate):
    engine, losses = trained(model, topical(), rate=rate)
    assert losses[-1] < losses[0]
    assert losses[-1] == pytest.approx(math.log(20), rel=0.03)  # a topic has 20 words, all as likely
    unit = engine.state["input"] / np.linalg.norm(engine.state["input"], axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert cosines[:20, :20].mean() > cosines[:20, 20:].mean() + 0.5


def test_one_thread_gives_the_same_bits_twice_and_another_seed_does_not():
    first, second, other = (trained("skipgram", topical(100), seed=seed)[0].state for seed in (3, 3, 4))
    for name in ("input", "nodes"):
        np.testing.assert_array_equal(first[name], second[name])
        assert not np.array_equal(first[name], other[name])


def test_threads_share_the_work():
    alone, losses = trained("cbow", topical(), threads=1, rate=0.2)
    engine, shared = trained("cbow", topical(), threads=3, rate=0.2)
    assert shared[-1] < shared[0]
    assert shared[-1] == pytest.approx(losses[-1], rel=0.05)
    assert all(np.isfinite(matrix).all() for matrix in engine.state.values())
    assert alone.state["nodes"].shape == engine.state["nodes"].shape == (39, 33)


def test_evaluation_learns_nothing_and_repeats():
    engine, _ = trained("cbow", topical(100))
    before = {name: matrix.copy() for name, matrix in engine.state.items()}
    first = engine.evaluate(topical(50, seed=9))
    assert first == engine.evaluate(topical(50, seed=9))
    assert first.examples > 100
    for name, matrix in engine.state.items():
        np.testing.assert_array_equal(matrix, before[name])
    assert not engine.input[:, 33:].any()
    assert not engine.nodes[:, 33:].any()
    assert engine.evaluate(np.zeros(0, np.int32)).examples == 0


def test_a_checkpoint_of_negative_sampling_is_refused():
    engine = make_engine("skipgram", named([5, 5, 5]), settings_of())
    with pytest.raises(IntegrityError, match="nodes matrix"):
        engine.restore({"input": np.zeros((3, 33), np.float32), "output": np.zeros((3, 33), np.float32)})


def test_backends_that_cannot_are_refused():
    with pytest.raises(ConfigError, match="cannot train hierarchical_softmax; numba, torch can"):
        make_engine("skipgram", named([5, 5]), settings_of(backend="triton"))
