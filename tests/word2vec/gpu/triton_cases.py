"""The GPU kernels against the reference, on the GPU or under Triton's interpreter.

Not collected by its name: `test_triton_engine.py` runs this file in a process of its own, because the interpreter must
be asked for before triton is imported.
"""

import numpy as np
import pytest
import torch

from firth.config.word2vec import Recipe, Word2Vec
from firth.errors import IntegrityError
from firth.tokens.vocabulary import Vocabulary
from firth.training.splitmix import stream_start
from firth.word2vec.gpu import engine as triton_engine
from firth.word2vec.gpu.engine import Shape, TritonEngine
from firth.word2vec.plain import objectives as reference
from firth.word2vec.plain.examples import Chance
from firth.word2vec.sampling import AliasTable, keep_thresholds, noise_distribution

ONE_PROGRAM = 1 << 20


def planned(stream, keep, table, window, negatives, state):
    """Centres as (word, reach, noise), by sentence."""
    chance, sentences = Chance(state), [[]]
    for word in stream:
        kept, reach = chance.draw() >> 32, 1 + chance.below(window)
        noise = [chance.noise(table) for _ in range(negatives)]
        if word < 0:
            sentences.append([])
        elif kept <= keep[word]:
            sentences[-1].append((word, reach, noise))
    return sentences


def replay(model, stream, W, C, keep, table, window, negatives, rate, state, ring):
    """What one program does, by the reference's steps; with `ring`, on copies of the rows near the centre."""
    sentences = planned(stream, keep, table, window, negatives, state)
    centres = [(*centre, s) for s, sentence in enumerate(sentences) for centre in sentence]
    step = reference.skipgram_step if model == "skipgram" else reference.cbow_step
    words = torch.tensor([centre[0] for centre in centres])
    copies, origin = (torch.zeros(len(centres), W.shape[1], dtype=W.dtype) for _ in range(2))
    examples, loss = 0, 0.0

    def enter(position):
        if position < len(centres):
            copies[position] = origin[position] = W[words[position]]

    def leave(position):
        if 0 <= position < len(centres):
            W[words[position]] += copies[position] - origin[position]

    for position in range(window):
        enter(position)
    for c, (word, reach, noise, sentence) in enumerate(centres):
        enter(c + window)
        span = range(max(0, c - reach), min(len(centres), c + reach + 1))
        places = torch.tensor([p for p in span if p != c and centres[p][3] == sentence], dtype=torch.long)
        outputs = torch.tensor([word, *(other for other in noise if other != word)])
        if len(places):
            examples += len(places) if model == "skipgram" else 1
            loss += step(copies, C, places, outputs, rate) if ring else step(W, C, words[places], outputs, rate)
        if ring:
            leave(c - window)
    if ring:
        for position in range(max(0, len(centres) - window), len(centres)):
            leave(position)
    return examples, loss


def named(counts):
    return Vocabulary(tuple(f"w{i}" for i in range(len(counts))), np.asarray(counts, dtype=np.int64))


def compare(model, stream, vocabulary, seed=0, rate=0.1, sample=0.0, **settings):
    """Run engine and replay over `stream` and check that they agree. Returns the engine's result and its shape."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(5, 500, vocabulary)
    recipe = Recipe(learning_rate=rate, epochs=1)
    config = Word2Vec(**{"sample": sample, "seed": seed, "skipgram": recipe, "cbow": recipe, **settings})
    engine = TritonEngine(model, named(counts), config, piece=ONE_PROGRAM)
    start = {
        name: (rng.normal(size=(vocabulary, config.dim)) * 2 / config.dim).astype(np.float32)
        for name in ("input", "output")
    }
    engine.restore(start)
    W, C = (torch.from_numpy(start[name].astype(np.float64)) for name in ("input", "output"))
    stream = np.asarray(stream, dtype=np.int32)
    total = 1 << 60  # so large that the rate does not decay
    got = engine.train(stream, 0, len(stream), (1, 2), 0, total)
    table = AliasTable.of(noise_distribution(counts, config.noise_exponent))
    state = stream_start(seed, 0, 1, 2)
    shape = Shape.of(config.dim, config.window, config.negatives)
    examples, loss = replay(
        model, stream.tolist(), W, C, keep_thresholds(counts, sample), table, config.window, config.negatives,
        float(np.float32(rate)), state, shape.ring,
    )  # fmt: skip
    assert got.words == np.count_nonzero(stream >= 0)
    assert got.examples == examples
    assert examples == 0 or not np.array_equal(engine.state["output"], start["output"])
    np.testing.assert_allclose(got.loss, loss, rtol=2e-5)
    np.testing.assert_allclose(engine.state["input"], W.numpy(), rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(engine.state["output"], C.numpy(), rtol=2e-4, atol=2e-5)
    return got, shape


def some_stream(size, vocabulary, seed=0):
    stream = np.random.default_rng(seed).integers(0, vocabulary, size)
    stream[::17] = -1
    return stream


models = pytest.mark.parametrize("model", ["skipgram", "cbow"])


@models
@pytest.mark.parametrize(("dim", "negatives", "window"), [(16, 5, 3), (100, 5, 5), (33, 20, 8)])
def test_the_ring_does_the_steps_of_the_reference(model, dim, negatives, window):
    _, shape = compare(model, some_stream(64, 50), 50, dim=dim, negatives=negatives, window=window)
    assert shape.ring


@models
@pytest.mark.parametrize(("dim", "negatives", "window"), [(200, 5, 20), (40, 50, 100)])
def test_shapes_without_a_ring_do_the_steps_of_the_reference(model, dim, negatives, window):
    got, shape = compare(model, some_stream(40, 50), 50, dim=dim, negatives=negatives, window=window)
    assert not shape.ring
    assert got.examples


def test_a_thousand_dimensions():
    got, shape = compare("skipgram", [0, 1, 2], 5, dim=1100)
    assert got.examples >= 4
    assert not shape.ring


@models
@pytest.mark.parametrize(("dim", "window"), [(16, 5), (200, 20)])
def test_no_update_of_a_repeated_row_is_lost(model, dim, window):
    """Three words: noise repeats and equals the positive, contexts repeat within the window."""
    stream = [0, 0, 0, 1, 0, 2, 2, 2, 1, 1, -1, 1, 0, 1, 0, 1, -1, 2, -1, -1]
    compare(model, stream, 3, dim=dim, window=window, rate=0.05)


@models
def test_subsampling_leaves_out_what_the_draws_say(model):
    stream = some_stream(60, 8)
    everything, _ = compare(model, stream, 8, dim=16)
    some, _ = compare(model, stream, 8, dim=16, sample=0.02)
    assert 0 < some.examples < 0.8 * everything.examples


@pytest.mark.parametrize("stream", [[], [-1, -1], [3], [3, -1, 2], [3, 2], [-1, 4, 4]])
def test_short_streams(stream):
    compare("skipgram", stream, 5, dim=16)


def test_saturated_scores_give_a_finite_loss():
    recipe = Recipe(learning_rate=1e-6, epochs=1)
    engine = TritonEngine("skipgram", named([9, 1, 1]), Word2Vec(dim=16, sample=0.0, skipgram=recipe))
    engine.restore({name: np.full((3, 16), 30.0, np.float32) for name in ("input", "output")})
    result = engine.train(np.array([1, 1], np.int32), 0, 2, (0, 0), 0, 1 << 60)
    pairs = round(result.loss / 14400)  # noise scores 14,400; the positive has nothing left to learn
    assert result.loss == pytest.approx(pairs * 14400, rel=1e-3)
    assert 1 <= pairs <= 10
    np.testing.assert_allclose(engine.state["output"][1], 30.0, rtol=1e-6)


def topical(sentences, seed=0):
    """Sentences of ten words, each about one of two topics of five words."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 5, (sentences, 10)) + 5 * rng.integers(0, 2, (sentences, 1))
    return np.concatenate([rows, np.full((sentences, 1), -1)], axis=1).astype(np.int32).ravel()


def topical_engine(model, rate=0.2, piece=16, **changes):
    recipe = Recipe(learning_rate=rate, epochs=2)
    settings = Word2Vec(
        **{"dim": 16, "block_words": 1000, "sample": 0.0, "skipgram": recipe, "cbow": recipe, **changes}
    )
    return TritonEngine(model, named([30] * 10), settings, piece=piece)


@models
def test_many_programs_learn_the_topics(model):
    stream = topical(20)
    engine = topical_engine(model, rate=0.2, piece=50)  # four programs
    losses = []
    for epoch in range(2):
        losses.append(engine.train(stream, 0, len(stream), (epoch, 0), epoch * 200, 400).mean_loss)
    unit = engine.state["input"] / np.linalg.norm(engine.state["input"], axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert losses[1] < 0.95 * losses[0]
    assert cosines[:5, :5].mean() > cosines[:5, 5:].mean() + 0.5
    engine.close()


def test_evaluation_learns_nothing_and_repeats():
    engine = topical_engine("cbow")
    engine.train(topical(5), 0, 55, (0, 0), 0, 1 << 30)
    before = engine.state
    first = engine.evaluate(topical(5, seed=9))
    assert first == engine.evaluate(topical(5, seed=9))
    assert first.words == first.examples == 50
    for name, matrix in engine.state.items():
        np.testing.assert_array_equal(matrix, before[name])
    assert engine.evaluate(np.zeros(0, np.int32)).examples == 0


def test_a_restored_engine_goes_on_as_if_unbroken():
    stream = topical(6)
    unbroken, resumed = (topical_engine("skipgram", piece=ONE_PROGRAM, negatives=2) for _ in range(2))
    unbroken.train(stream, 0, 33, (0, 0), 0, 120)
    resumed.restore(unbroken.state)
    first, second = (engine.train(stream, 33, 66, (0, 1), 30, 120) for engine in (unbroken, resumed))
    assert first.examples == second.examples
    assert first.loss == pytest.approx(second.loss, rel=1e-6)
    for name, matrix in unbroken.state.items():
        assert matrix.shape == (10, 16)
        np.testing.assert_allclose(resumed.state[name], matrix, rtol=1e-6, atol=1e-9)


def test_matrices_of_another_shape_are_refused_before_any_is_taken_over():
    engine = topical_engine("skipgram")
    before = engine.state["input"]
    with pytest.raises(IntegrityError, match="output matrix"):
        engine.restore({"input": np.ones((10, 16), np.float32), "output": np.ones((3, 16), np.float32)})
    np.testing.assert_array_equal(engine.state["input"], before)


def test_the_host_copies_are_not_the_devices_matrices():
    engine = topical_engine("skipgram")
    copy = engine.state["output"]
    engine.train(topical(3), 0, 33, (0, 0), 0, 100)
    assert not copy.any()
    assert engine.vectors()["output"].any()


def test_the_rate_falls_within_a_stretch():
    """The second half learns at the floor, which is nothing to speak of."""
    stream = np.array([0, 1] * 10 + [-1] + [2, 3] * 10, dtype=np.int32)
    engine = topical_engine("skipgram", piece=ONE_PROGRAM, min_learning_rate=1e-6, negatives=1)
    before = engine.state["input"]
    engine.train(stream, 0, len(stream), (0, 0), 20, 40)
    moved = np.abs(engine.state["input"] - before).max(axis=1)  # noise moves outputs: 2 and 3 come up in the first half
    assert 0 < moved[2:4].max() < 1e-3 * moved[:2].max()


def test_an_id_outside_the_vocabulary_is_refused_before_it_becomes_an_address():
    engine = topical_engine("skipgram")
    before = engine.state
    for bad in (10, 2**31 - 1, -2, -(2**31)):
        stream = np.array([0, 1, 2, bad, 1], dtype=np.int32)
        with pytest.raises(IntegrityError, match=f"id {bad} at position 3"):
            engine.train(stream, 1, 5, (0, 0), 0, 5)
    with pytest.raises(ValueError, match="not within"):
        engine.train(stream, 0, 6, (0, 0), 0, 5)
    np.testing.assert_array_equal(engine.state["input"], before["input"])


def test_parts_of_a_stretch_draw_what_the_whole_would(monkeypatch):
    """Cut where a sentence ends, the parts are the stretch."""
    stream = topical(6)
    results = []
    for part in (1 << 20, 33):
        monkeypatch.setattr(triton_engine, "PART", part)
        engine = topical_engine("cbow", piece=ONE_PROGRAM)
        results.append((engine.train(stream, 0, len(stream), (0, 0), 0, 1000), engine.state))
    assert results[0][0].words == results[1][0].words == 60
    assert results[0][0].loss == pytest.approx(results[1][0].loss, rel=1e-5)
    np.testing.assert_allclose(results[0][1]["input"], results[1][1]["input"], atol=1e-6)


def test_a_training_goes_on_from_the_devices_checkpoint(tmp_path):
    """Through the stage's own loop: matrices go to checkpoints on the host and back to the device."""
    pytest.importorskip("lightning")
    pytest.importorskip("pyarrow")
    from firth.config.text import Words
    from firth.tokens.encode import build_store
    from firth.tokens.store import WordStore
    from firth.word2vec.train import train

    sentences = [" ".join(f"w{word}" for word in row[:-1]) for row in topical(8).reshape(-1, 11)]
    build_store([sentences], [sentences[:3]], Words(min_count=1, shuffle=False), tmp_path / "words")
    recipe = Recipe(learning_rate=0.1, epochs=2)
    settings = Word2Vec(
        backend="triton",
        dim=16,
        window=2,
        negatives=2,
        sample=0.0,
        block_words=1000,
        checkpoint_seconds=1e-6,
        skipgram=recipe,
    )
    store, steps = WordStore.open(tmp_path / "words"), []

    def fall_over(step, metrics):
        steps.append(step)
        if len(steps) == 2:
            raise KeyboardInterrupt

    unbroken = train(store, "skipgram", settings, tmp_path / "unbroken", lambda step, metrics: None)
    with pytest.raises(KeyboardInterrupt):
        train(store, "skipgram", settings, tmp_path / "broken", fall_over)
    train_again = train(store, "skipgram", settings, tmp_path / "broken", lambda step, metrics: steps.append(step))
    assert steps == [80, 160, 160]
    for name, matrix in unbroken.matrices.items():
        assert matrix.any()
        np.testing.assert_allclose(train_again.matrices[name], matrix, atol=1e-4)
