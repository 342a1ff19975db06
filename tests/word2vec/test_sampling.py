import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from firth.training.splitmix import bits, following, stream_start
from firth.word2vec.cpu.kernels import noise_word, read_sentence
from firth.word2vec.sampling import FULL, AliasTable, keep_thresholds, noise_distribution

ZIPF = (1e6 / np.arange(1, 201)).astype(np.int64)


def draws(table, count, seed=1):
    state, words = np.uint64(stream_start(seed)), np.empty(count, dtype=np.int64)
    for i in range(count):
        state = np.uint64(following(state))  # Python would get a signed number, the kernel has an unsigned one
        words[i] = noise_word(np.uint64(bits(state)), table.thresholds, table.others)
    return words


def test_noise_has_the_unigram_distribution_to_the_power():
    expected = noise_distribution(ZIPF, 0.75)
    assert expected[0] / expected[15] == pytest.approx(16**0.75, rel=1e-3)
    seen = np.bincount(draws(AliasTable.of(expected), 200_000), minlength=200)
    assert stats.chisquare(seen, expected * 200_000).pvalue > 1e-3
    wrong = noise_distribution(ZIPF, 0.7)
    assert stats.chisquare(seen, wrong * 200_000).pvalue < 1e-9


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=300))
def test_alias_table_is_the_distribution(counts):
    probabilities = noise_distribution(np.array(counts), 0.75)
    np.testing.assert_allclose(AliasTable.of(probabilities).probabilities(), probabilities, rtol=1e-6, atol=1e-9)


def test_frequent_words_are_kept_at_the_toolkits_rate():
    counts = np.array([50_000, 5_000, 500, 5])
    thresholds = keep_thresholds(counts, 1e-3)
    stream = np.repeat(np.arange(3, dtype=np.int32), 20_000)
    stream.flags.writeable = False
    sentence = np.empty(len(stream), dtype=np.int64)
    kept, read, position, _ = read_sentence(stream, 0, len(stream), thresholds, np.uint64(stream_start(5)), sentence)
    assert (read, position) == (60_000, 60_000)
    shares = np.bincount(sentence[:kept], minlength=3) / 20_000
    ratio = 1e-3 / (counts[:3] / counts.sum())
    np.testing.assert_allclose(shares, np.minimum(1, np.sqrt(ratio) + ratio), atol=0.01)
    assert thresholds[3] == FULL


def test_sample_zero_keeps_every_word():
    assert (keep_thresholds(ZIPF, 0.0) == FULL).all()


def test_generator_starts_differ_in_every_part_of_the_key():
    keys = [(s, e, b, t) for s in range(4) for e in range(4) for b in range(4) for t in range(4)]
    assert len({stream_start(*key) for key in keys}) == len(keys)
