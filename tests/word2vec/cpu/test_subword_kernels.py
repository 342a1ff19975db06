"""The compiled subword kernels against plain PyTorch: the same window by window, and fastText's pair by pair."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.training.splitmix import stream_start
from firth.word2vec.cpu.subword_kernels import USES, subword_kernel
from firth.word2vec.matrices import aligned, chunks_of
from firth.word2vec.plain import objectives as reference
from firth.word2vec.plain.examples import Chance
from firth.word2vec.sampling import FULL, AliasTable


def centres(sentence, table, window, negatives, chance):
    """(centre, positions of its contexts, positive and noise words), drawn as the kernel draws them."""
    ahead = [chance.noise(table) for _ in range(negatives)]
    for centre, positive in enumerate(sentence):
        noise = list(ahead)
        for j in range(negatives):
            noise[j] = chance.other_than(positive, noise[j], table)
        if centre + 1 < len(sentence):
            ahead = [chance.noise(table) for _ in range(negatives)]
        reach = 1 + chance.below(window)
        places = range(max(0, centre - reach), min(len(sentence), centre + reach + 1))
        yield centre, [p for p in places if p != centre], torch.tensor([positive, *noise])


def windowed(model, sentence, W, C, rows_of, window, rate, drawn):
    """What the kernel does to a sentence. `W` has own rows and, behind them, n-gram rows; returns the loss."""
    H, before, loss, size = torch.zeros(len(sentence), W.shape[1], dtype=W.dtype), {}, 0.0, len(sentence)
    for centre, contexts, words in drawn:
        for p in range(len(before), min(size, centre + window + 1)):
            H[p] = W[rows_of(sentence[p])].mean(0)
            before[p] = H[p].clone()
        if model == "skipgram":
            for first in range(0, len(contexts), 2):
                loss += reference.skipgram_step(H, C, torch.tensor(contexts[first : first + 2]), words, rate)
        else:
            weights = torch.tensor([float(len(rows_of(sentence[p]))) for p in contexts], dtype=W.dtype)
            hidden = (weights @ H[contexts] / weights.sum())[None]
            moved = hidden.clone()
            loss += reference.skipgram_step(moved, C, torch.tensor([0]), words, rate)
            H[contexts] += moved - hidden
        for p in range(max(0, centre - window), size if centre + 1 == size else centre - window + 1):
            rows = rows_of(sentence[p])
            W.index_add_(0, rows, (H[p] - before[p]).expand(len(rows), -1))
        period = max(1, USES // (2 * window + 1))
        for p in range(max(0, centre - window + 1), len(before)) if period <= 2 * window and centre + 1 < size else ():
            if (centre + p) % period == 0:
                rows = rows_of(sentence[p])
                W.index_add_(0, rows, (H[p] - before[p]).expand(len(rows), -1))
                H[p] = W[rows].mean(0)
                before[p] = H[p].clone()
    return loss


def pairwise(model, sentence, W, C, rows_of, _window, rate, drawn):
    """What fastText does: rows are read anew for each step, and each gets the whole gradient at once."""
    loss = 0.0
    for _, contexts, words in drawn:
        bags, target = [rows_of(sentence[p]) for p in contexts], reference.NegativeSampling(words)
        if model == "cbow":
            hidden = [reference.Hidden.mean_of(bags)]
        else:
            hidden = [reference.Hidden.of_each(bags[first : first + 2]) for first in range(0, len(bags), 2)]
        loss += sum(reference.step(W, C, vectors, target, rate) for vectors in hidden)
    return loss


def run_both(plain, model, stream, ngram_rows, buckets, dim=16, window=3, negatives=5, rate=0.1, seed=0):
    """The kernel and `plain` on the same stream; word i has `ngram_rows[i]`. Returns pairs (ours, expected)."""
    rng = np.random.default_rng(seed)
    size = len(ngram_rows)
    matrices = [aligned(rows, dim) for rows in (size, buckets, size)]
    for matrix in matrices:
        matrix[:, :dim] = rng.normal(size=(len(matrix), dim)) * 2 / dim
    inputs, ngrams, outputs = matrices
    W = torch.from_numpy(np.concatenate([inputs, ngrams])[:, :dim].astype(np.float64))
    C = torch.from_numpy(outputs[:, :dim].astype(np.float64))
    table = AliasTable.of(rng.dirichlet(np.ones(size)))
    ids = np.array(stream, dtype=np.int32)
    rows = np.array([row for word in ngram_rows for row in word], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, ngram_rows)]).astype(np.int64)
    for array in (ids, rows, offsets):
        array.flags.writeable = False
    state = stream_start(seed, 1, 2)
    # total is so large that the rate does not decay
    words, examples, _, loss = subword_kernel(model, chunks_of(dim), negatives)(
        ids, 0, len(ids), inputs, ngrams, outputs, rows, offsets, max(map(len, ngram_rows)),
        np.full(size, FULL, np.uint32), table.thresholds, table.others, window, rate,
        1e-4, 0, 1, 1 << 60, np.uint64(state),
    )  # fmt: skip

    chance, expected, expected_examples = Chance(state), 0.0, 0
    for sentence in sentences_of(stream):
        for _ in sentence:
            chance.draw()  # subsampling
        if len(sentence) > 1:
            drawn = list(centres(sentence, table, window, negatives, chance))
            expected_examples += sum(len(contexts) if model == "skipgram" else 1 for _, contexts, _ in drawn)
            own = lambda word: torch.tensor([word, *(size + row for row in ngram_rows[word])])  # noqa: E731
            expected += plain(model, sentence, W, C, own, window, float(np.float32(rate)), drawn)
    assert words == sum(word >= 0 for word in stream)
    assert examples == expected_examples
    np.testing.assert_allclose(loss, expected, rtol=2e-5)
    for mine, other in ((inputs, W[:size]), (ngrams, W[size:]), (outputs, C)):
        np.testing.assert_allclose(mine[:, :dim], other.numpy(), rtol=2e-4, atol=2e-5)
        assert not mine[:, dim:].any()


def sentences_of(stream):
    current = []
    for word in [*stream, -1]:
        if word >= 0:
            current.append(word)
        elif current:
            yield current
            current = []


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize(("dim", "negatives"), [(16, 5), (100, 5), (33, 9)])
def test_kernel_does_the_steps_of_the_plain_code(model, dim, negatives):
    rng = np.random.default_rng(dim)
    stream = rng.integers(0, 50, 120)
    stream[::17] = -1
    ngram_rows = [rng.integers(0, 60, rng.integers(0, 9)).tolist() for _ in range(50)]  # many are shared, some none
    run_both(windowed, model, stream.tolist(), ngram_rows, 60, dim=dim, negatives=negatives)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_no_update_of_a_repeated_row_is_lost(model):
    """Three words that share all rows, of which one has the same row three times; noise and contexts repeat."""
    stream = [0, 0, 0, 1, 0, 2, 2, 2, 1, 1, -1, 1, 0, 1, 0, 1]
    run_both(windowed, model, stream, [[0, 1, 0, 0], [1, 1], [0]], 2, rate=0.05)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("window", [11, 40, 100])
def test_in_wide_windows_vectors_are_composed_anew_on_the_way(model, window):
    rng = np.random.default_rng(window)
    stream = rng.integers(0, 30, 90)
    stream[[7, 70]] = -1
    ngram_rows = [rng.integers(0, 40, rng.integers(0, 6)).tolist() for _ in range(30)]
    run_both(windowed, model, stream.tolist(), ngram_rows, 40, window=window, rate=0.02)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-1, 5), max_size=40),
    st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=6, max_size=6),
    st.integers(0, 2**31),
    st.integers(1, 7),
    st.sampled_from(["skipgram", "cbow"]),
)
def test_any_stream_over_any_rows(stream, ngram_rows, seed, window, model):
    run_both(windowed, model, stream, ngram_rows, 4, rate=0.05, seed=seed, window=window)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_where_no_row_is_shared_it_is_what_fasttext_does_pair_by_pair(model):
    rng = np.random.default_rng(4)
    stream = np.concatenate([[*rng.permutation(30), -1] for _ in range(4)]).tolist()  # a word once a sentence
    ngram_rows = [list(range(5 * word, 5 * word + word % 6)) for word in range(30)]
    run_both(pairwise, model, stream, ngram_rows, 150, rate=0.2)
