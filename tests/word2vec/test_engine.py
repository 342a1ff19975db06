import os
import subprocess
import sys

import numpy as np
import pytest

from firth.config.word2vec import Recipe, Word2Vec
from firth.errors import DataError, IntegrityError
from firth.tokens.vocabulary import Vocabulary
from firth.word2vec.engines import make_engine
from firth.word2vec.matrices import aligned, check_aligned
from firth.word2vec.schedule import Schedule


def tiny(**changes):
    recipe = Recipe(learning_rate=0.05, epochs=2)
    return Word2Vec(**{"dim": 16, "block_words": 1000, "skipgram": recipe, "cbow": recipe, **changes})


def topical(sentences=400, seed=0):
    """Sentences of ten words, each about one of two topics of 20 words."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 20, (sentences, 10)) + 20 * rng.integers(0, 2, (sentences, 1))
    return np.concatenate([rows, np.full((sentences, 1), -1)], axis=1).astype(np.int32).ravel()


def named(counts):
    """A vocabulary of words w0, w1, … with these counts."""
    return Vocabulary(tuple(f"w{i}" for i in range(len(counts))), np.asarray(counts, dtype=np.int64))


def counts_of(stream, vocabulary=40):
    return np.bincount(stream[stream >= 0], minlength=vocabulary).astype(np.int64)


def trained(model, stream, settings):
    engine = make_engine(model, named(counts_of(stream)), settings)
    schedule = Schedule.of(stream, settings.block_words, settings.recipe(model).epochs)
    losses = []
    for step in range(len(schedule)):
        epoch, index, block = schedule.at(step)
        result = engine.train(
            stream, block.start, block.stop, (epoch, index), schedule.seen_before(step), schedule.total_words
        )
        assert result.words == block.words
        losses.append(result.mean_loss)
    engine.close()
    return engine, losses


@pytest.mark.parametrize(
    ("model", "golden"),
    [
        (
            "skipgram",
            [4.158583, 4.155655, 4.141909, 4.097415, 4.051586, 3.940738, 3.759771, 3.567321, 3.427315, 3.376968],
        ),
        (
            "cbow",
            [4.158786, 4.158300, 4.157094, 4.154388, 4.151983, 4.147055, 4.139331, 4.130042, 4.122353, 4.118725],
        ),
    ],
)
def test_golden_losses(model, golden):
    _, losses = trained(model, topical(), tiny())
    np.testing.assert_allclose(losses, golden, rtol=1e-4)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_words_of_a_topic_end_together(model):
    engine, losses = trained(model, topical(), tiny(sample=0.0, skipgram=Recipe(learning_rate=0.1, epochs=8),
                                                    cbow=Recipe(learning_rate=0.2, epochs=8)))  # fmt: skip
    assert losses[-1] < 0.9 * losses[0]
    unit = engine.state["input"] / np.linalg.norm(engine.state["input"], axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert cosines[:20, :20].mean() > cosines[:20, 20:].mean() + 0.5


def test_one_thread_gives_the_same_bits_twice_and_another_seed_does_not():
    stream = topical()
    first, second, other = (trained("skipgram", stream, tiny(seed=seed))[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.input, second.input)
    np.testing.assert_array_equal(first.output, second.output)
    assert not np.array_equal(first.input, other.input)


def test_threads_share_the_work():
    engine, losses = trained("skipgram", topical(), tiny(threads=3))
    assert losses[-1] < losses[0]
    assert np.isfinite(engine.input).all()


def test_evaluation_learns_nothing_and_repeats():
    stream = topical()
    engine, _ = trained("cbow", stream, tiny())
    before = engine.input.copy(), engine.output.copy()
    first = engine.evaluate(topical(50, seed=9))
    assert first == engine.evaluate(topical(50, seed=9))
    assert first.examples > 100
    np.testing.assert_array_equal(engine.input, before[0])
    np.testing.assert_array_equal(engine.output, before[1])
    assert engine.evaluate(np.zeros(0, np.int32)).examples == 0


def test_learning_rate_falls_in_a_line_to_its_floor():
    engine = make_engine("skipgram", named([5, 5]), tiny(min_learning_rate=0.01))
    assert [engine.rate_at(words, 100) for words in (0, 50, 100)] == pytest.approx([0.05, 0.025, 0.0005])


@pytest.mark.parametrize("changes", [{}, {"objective": "hierarchical_softmax", "threads": 2}])
def test_an_id_outside_the_vocabulary_is_refused_before_it_becomes_an_address(changes):
    engine = make_engine("skipgram", named([5, 5, 5]), tiny(**changes))
    for bad in (3, 2**31 - 1, -2, -(2**31)):
        stream = np.array([0, 1, 2, bad, 1], dtype=np.int32)
        with pytest.raises(IntegrityError, match=f"id {bad} at position 3"):
            engine.train(stream, 0, 5, (0, 0), 0, 5)
    with pytest.raises(ValueError, match="not within"):
        engine.train(stream, 0, 6, (0, 0), 0, 5)
    engine.close()


@pytest.mark.parametrize("size", [0, 1])
def test_a_vocabulary_without_noise_words_is_refused(size):
    with pytest.raises(DataError, match="needs 2 or more"):
        make_engine("skipgram", named([1] * size), tiny())


def test_matrices_that_a_kernel_must_not_see_are_refused():
    good = aligned(3, 20)
    assert good.shape == (3, 32)
    check_aligned(good, 3, 2, "input")
    frozen = aligned(3, 20)
    frozen.flags.writeable = False
    for bad in (good[:2], good.astype(np.float64), np.asfortranarray(good), frozen, aligned(4, 20).ravel()[1:97]):
        with pytest.raises(ValueError, match="input: a kernel wants"):
            check_aligned(bad, 3, 2, "input")


def test_checkpointed_matrices_of_another_shape_are_refused():
    engine = make_engine("skipgram", named([5, 5]), tiny())
    with pytest.raises(IntegrityError, match="input matrix"):
        engine.restore({"input": np.zeros((3, 16), np.float32), "output": np.zeros((2, 16), np.float32)})


def test_a_sentence_of_ten_million_words_is_cut():
    rng = np.random.default_rng(0)
    stream = rng.integers(0, 40, 10_000_000, dtype=np.int32)
    schedule = Schedule.of(stream, 1_000_000, 1)
    assert [block.words for block in schedule.blocks] == [1_000_000] * 10
    engine = make_engine("cbow", named(counts_of(stream)), tiny())
    block = schedule.blocks[0]
    assert engine.train(stream, block.start, block.stop, (0, 0), 0, schedule.total_words).words == 1_000_000


def test_blocks_end_where_sentences_do_and_lose_no_word():
    stream = topical(1000)
    schedule = Schedule.of(stream, 1003, 3)
    assert schedule.blocks[0].start == 0
    assert schedule.blocks[-1].stop == len(stream)
    for before, after in zip(schedule.blocks, schedule.blocks[1:], strict=False):
        assert before.stop == after.start
        assert stream[before.stop - 1] == -1
    assert schedule.epoch_words == 10_000
    assert schedule.total_words == 30_000
    assert schedule.seen_before(len(schedule)) == 30_000


@pytest.mark.slow
def test_the_second_process_finds_the_compiled_kernel(tmp_path):
    code = (
        "import time, numpy as np\n"
        "from firth.config.word2vec import Word2Vec\n"
        "from firth.tokens.vocabulary import Vocabulary\n"
        "from firth.word2vec.engines import make_engine\n"
        "words = Vocabulary(('a', 'b'), np.array([5, 5]))\n"
        "e = make_engine('skipgram', words, Word2Vec(dim=16, negatives=2))\n"
        "t = time.perf_counter()\n"
        "e.train(np.array([0, 1], np.int32), 0, 2, (0, 0), 0, 2)\n"
        "print(time.perf_counter() - t, e._kernel.stats.cache_hits[e._kernel.signatures[0]] if "
        "e._kernel.stats.cache_hits else 0)\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    (_, cold), (seconds, warm) = (run.stdout.split() for run in runs)
    assert (cold, warm) == ("0", "1")
    assert float(seconds) < 3
