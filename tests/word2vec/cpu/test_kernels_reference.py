"""The compiled kernels against the plain PyTorch steps, and those against autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.training.splitmix import stream_start
from firth.word2vec.cpu.kernels import EXCHANGE, OWN_BYTES, kernel
from firth.word2vec.matrices import aligned, chunks_of
from firth.word2vec.plain import objectives as reference
from firth.word2vec.plain.examples import Chance
from firth.word2vec.sampling import FULL, AliasTable


def plain_run(model, stream, W, C, table, window, negatives, rate, state):
    """What a kernel does to `stream` without subsampling, by the reference's steps. Returns (examples, loss)."""
    chance, examples, loss = Chance(state), 0, 0.0
    sentences, current = [], []
    for word in [*stream, -1]:
        if word >= 0:
            current.append(word)
        elif current:
            sentences.append(current)
            current = []
    for sentence in sentences:
        for _ in sentence:
            chance.draw()  # subsampling
        if len(sentence) < 2:
            continue
        ahead = [chance.noise(table) for _ in range(negatives)]
        for centre, positive in enumerate(sentence):
            noise = list(ahead)
            for j in range(negatives):
                while noise[j] == positive:
                    noise[j] = chance.noise(table)
            if centre + 1 < len(sentence):
                ahead = [chance.noise(table) for _ in range(negatives)]
            reach = 1 + chance.below(window)
            lo, hi = max(0, centre - reach), min(len(sentence), centre + reach + 1)
            contexts = [sentence[p] for p in range(lo, hi) if p != centre]
            words = torch.tensor([positive, *noise])
            step = reference.skipgram_step if model == "skipgram" else reference.cbow_step
            size = 2 if model == "skipgram" else len(contexts)
            for first in range(0, len(contexts), size):
                loss += step(W, C, torch.tensor(contexts[first : first + size]), words, rate)
            examples += len(contexts) if model == "skipgram" else 1
    return examples, loss


def run_both(model, stream, vocabulary, dim, window=3, negatives=5, rate=0.1, seed=0, threads=1):
    rng = np.random.default_rng(seed)
    inputs, outputs = aligned(vocabulary, dim), aligned(vocabulary, dim)
    inputs[:, :dim] = rng.normal(size=(vocabulary, dim)) * 2 / dim
    outputs[:, :dim] = rng.normal(size=(vocabulary, dim)) * 2 / dim
    W, C = torch.from_numpy(inputs[:, :dim].astype(np.float64)), torch.from_numpy(outputs[:, :dim].astype(np.float64))
    table = AliasTable.of(rng.dirichlet(np.ones(vocabulary)))
    ids = np.array(stream, dtype=np.int32)
    ids.flags.writeable = False
    state = stream_start(seed, 1, 2)
    # total is so large that the rate does not decay
    got = kernel(model, chunks_of(dim), negatives)(
        ids, 0, len(ids), inputs, outputs, np.full(vocabulary, FULL, np.uint32), table.thresholds, table.others,
        window, rate, 1e-4, 0, threads, 1 << 60, np.uint64(state),
    )  # fmt: skip
    examples, loss = plain_run(model, stream, W, C, table, window, negatives, np.float32(rate), state)
    return got, (examples, loss), (inputs, W.numpy()), (outputs, C.numpy())


def check(got, expected, dim, *matrices):
    assert got[1] == expected[0]
    np.testing.assert_allclose(got[3], expected[1], rtol=2e-5)
    for mine, plain in matrices:
        np.testing.assert_allclose(mine[:, :dim], plain, rtol=2e-4, atol=2e-5)
        assert not mine[:, dim:].any()


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize(
    ("dim", "negatives"),
    [
        (16, 5),
        (100, 5),
        *(pytest.param(*size, marks=pytest.mark.slow) for size in [(33, 9), (1, 1), (300, 2), (1000, 5), (17, 50)]),
    ],
)
def test_kernel_does_the_steps_of_the_reference(model, dim, negatives):
    rng = np.random.default_rng(dim)
    stream = rng.integers(0, 50, 120)
    stream[::17] = -1
    got, expected, *matrices = run_both(model, stream.tolist(), 50, dim, negatives=negatives)
    assert got[0] == np.count_nonzero(stream >= 0)
    check(got, expected, dim, *matrices)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_the_widest_rows_and_windows(model):
    stream = np.random.default_rng(2).integers(0, 300, 150).tolist()
    got, expected, *matrices = run_both(model, stream, 300, 4096, window=100, negatives=1, rate=0.01)
    check(got, expected, 4096, *matrices)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_what_a_thread_learns_in_its_own_copies_comes_back(model):
    """As one of 512 threads: copies of 16 of the 50 rows, exchanged every 64 words; alone, it must not matter."""
    assert (OWN_BYTES // 64 // 512, EXCHANGE // 512) == (16, 64)
    stream = np.random.default_rng(5).integers(0, 50, 400)
    stream[::17] = -1
    got, expected, *matrices = run_both(model, stream.tolist(), 50, 16, rate=0.05, threads=512)
    check(got, expected, 16, *matrices)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_no_update_of_a_repeated_row_is_lost(model):
    """Three words: every tile repeats noise words, and windows repeat contexts."""
    stream = [0, 0, 0, 1, 0, 2, 2, 2, 1, 1, -1, 1, 0, 1, 0, 1]
    got, expected, *matrices = run_both(model, stream, 3, 16, rate=0.05)
    check(got, expected, 16, *matrices)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1, 5), max_size=40), st.integers(0, 2**31), st.sampled_from(["skipgram", "cbow"]))
def test_any_stream_over_a_tiny_vocabulary(stream, seed, model):
    got, expected, *matrices = run_both(model, stream, 6, 16, rate=0.05, seed=seed)
    assert got[1] == expected[0]
    check(got, expected, 16, *matrices)


def test_two_words_end_though_one_is_all_the_noise():
    stream = [0, 0, 0, 1] * 10
    inputs, outputs = aligned(2, 16), aligned(2, 16)
    inputs[:] = 0.1
    ids = np.array(stream, dtype=np.int32)
    ids.flags.writeable = False
    table = AliasTable.of(np.array([1.0, 0.0]))
    result = kernel("skipgram", 1, 5)(
        ids, 0, len(ids), inputs, outputs, np.full(2, FULL, np.uint32), table.thresholds, table.others,
        5, 0.05, 1e-4, 0, 1, 1000, np.uint64(7),
    )  # fmt: skip
    assert result[0] == 40
    assert outputs[1].any()


def test_saturated_scores_give_a_finite_loss():
    inputs, outputs = aligned(3, 16), aligned(3, 16)
    inputs[:], outputs[:] = 30.0, 30.0  # dot products 14,400
    before = outputs[1].copy()
    ids = np.array([1, 1], dtype=np.int32)
    ids.flags.writeable = False
    table = AliasTable.of(np.array([1.0, 0.0, 0.0]))
    result = kernel("skipgram", 1, 5)(
        ids, 0, 2, inputs, outputs, np.full(3, FULL, np.uint32), table.thresholds, table.others,
        1, 1e-6, 1e-4, 0, 1, 1 << 60, np.uint64(7),
    )  # fmt: skip
    assert result[3] == pytest.approx(2 * 5 * 14400, rel=1e-3)
    np.testing.assert_allclose(outputs[1], before, rtol=1e-6)  # the positive has nothing left to learn


@pytest.mark.parametrize("step", ["skipgram", "cbow"])
def test_reference_gradients_are_autograds(step):
    generator = torch.Generator().manual_seed(3)
    W = torch.randn(7, 5, generator=generator, dtype=torch.float64).requires_grad_()
    C = torch.randn(7, 5, generator=generator, dtype=torch.float64).requires_grad_()
    contexts, words = torch.tensor([1, 4, 1]), torch.tensor([2, 0, 5, 0])
    if step == "skipgram":
        loss, scale = reference.pair_loss(W[contexts], C[words]), 1
    else:  # the toolkit gives each context the whole gradient of the mean
        loss, scale = reference.pair_loss(W[contexts].mean(0, keepdim=True), C[words]), len(contexts)
    loss.backward()
    new_W, new_C = W.detach().clone(), C.detach().clone()
    run = reference.skipgram_step if step == "skipgram" else reference.cbow_step
    assert run(new_W, new_C, contexts, words, 0.1) == pytest.approx(loss.item())
    torch.testing.assert_close(new_W, W.detach() - 0.1 * scale * W.grad)
    torch.testing.assert_close(new_C, C.detach() - 0.1 * C.grad)
