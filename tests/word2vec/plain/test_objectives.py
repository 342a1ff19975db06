"""The plain PyTorch steps of every objective against autograd, in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.word2vec.huffman import HuffmanTree
from firth.word2vec.plain.objectives import (
    FullSoftmax,
    Hidden,
    HierarchicalSoftmax,
    NegativeSampling,
    loss_of,
    pair_loss,
    skipgram_step,
    step,
)

WORDS, DIM = 7, 5
OBJECTIVES = ["negative_sampling", "hierarchical_softmax", "full_softmax"]


def matrix(rows, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(rows, DIM, generator=generator, dtype=torch.float64)


def target_of(objective, word, noise=(3, 3, 5), counts=(50, 20, 20, 9, 5, 5, 1)):
    if objective == "negative_sampling":
        return NegativeSampling(torch.tensor([word, *noise]))
    if objective == "hierarchical_softmax":
        points, codes = HuffmanTree.of(counts).way(word)
        return HierarchicalSoftmax(torch.tensor(points), torch.tensor(codes))
    return FullSoftmax(word)


def hidden_of(model, bags):
    return (Hidden.of_each if model == "skipgram" else Hidden.mean_of)([torch.tensor(bag) for bag in bags])


rows = st.integers(0, WORDS - 1)
bags_of_rows = st.lists(st.lists(rows, min_size=1, max_size=4), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(OBJECTIVES),
    st.sampled_from(["skipgram", "cbow"]),
    bags_of_rows,
    rows,
    st.lists(rows, min_size=1, max_size=5),
    st.integers(0, 1000),
)
def test_steps_are_autograds_gradients(objective, model, bags, word, noise, seed):
    """Rows repeat in bags, among contexts and in the noise.

    The toolkit gives each input row the whole gradient of the mean: what autograd has when each row's share is 1 at
    the same hidden vector.
    """
    W, C = matrix(WORDS, seed), matrix(WORDS, seed + 1)
    target, hidden = target_of(objective, word, noise), hidden_of(model, bags)
    outputs = C.clone().requires_grad_()
    loss_of(W, outputs, hidden, target).backward()

    inputs = W.clone().requires_grad_()
    parts = (hidden.shares > 0).double()
    moved = hidden.vectors(W) + parts @ (inputs - inputs.detach())[hidden.rows]  # the value of h, gradient 1 a row
    taken = C if target.rows is None else C[target.rows]
    expected = target.loss(moved @ taken.T)
    expected.backward()

    new_W, new_C = W.clone(), C.clone()
    assert step(new_W, new_C, hidden, target, 0.1) == pytest.approx(expected.item())
    torch.testing.assert_close(new_W, W - 0.1 * inputs.grad)
    torch.testing.assert_close(new_C, C - 0.1 * outputs.grad)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_errors_are_autograds_derivatives_of_the_loss(objective):
    target = target_of(objective, 4)
    columns = WORDS if target.rows is None else len(target.rows)
    scores = (20 * torch.randn(3, columns, dtype=torch.float64)).requires_grad_()
    target.loss(scores).backward()
    torch.testing.assert_close(target.error(scores.detach()), scores.grad)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_skipgram_step_of_whole_words_is_plain_sgd(objective):
    """With one row a bag nothing is shared out: the step is SGD on the loss as it stands."""
    W, C = matrix(WORDS, 1).requires_grad_(), matrix(WORDS, 2).requires_grad_()
    target, hidden = target_of(objective, 2), hidden_of("skipgram", [[1], [4], [1]])
    loss_of(W, C, hidden, target).backward()
    new_W, new_C = W.detach().clone(), C.detach().clone()
    step(new_W, new_C, hidden, target, 0.2)
    torch.testing.assert_close(new_W, W.detach() - 0.2 * W.grad)
    torch.testing.assert_close(new_C, C.detach() - 0.2 * C.grad)


@pytest.mark.parametrize("objective", ["hierarchical_softmax", "full_softmax"])
def test_probabilities_of_all_words_add_up_to_one(objective):
    W, C = matrix(WORDS, 3, 2.0), matrix(WORDS - (objective == "hierarchical_softmax"), 4, 2.0)
    hidden = hidden_of("cbow", [[0], [5, 6]])
    losses = torch.stack([loss_of(W, C, hidden, target_of(objective, word)) for word in range(WORDS)])
    assert torch.exp(-losses).sum().item() == pytest.approx(1.0)


def test_hidden_vectors_are_means_of_bags():
    W = matrix(WORDS, 5)
    each, mean = (hidden_of(model, [[1], [2, 2, 6]]).vectors(W) for model in ("skipgram", "cbow"))
    torch.testing.assert_close(each, torch.stack([W[1], (2 * W[2] + W[6]) / 3]))
    torch.testing.assert_close(mean, ((W[1] + 2 * W[2] + W[6]) / 4)[None])


def test_the_loss_of_pairs_is_the_papers():
    hidden, outputs = matrix(2, 6), matrix(4, 7)
    expected = sum(
        -torch.log(torch.sigmoid((1 if j == 0 else -1) * h @ o)) for h in hidden for j, o in enumerate(outputs)
    )
    assert pair_loss(hidden, outputs).item() == pytest.approx(expected.item())
    W, C = torch.cat([hidden, hidden]), outputs.clone()
    assert skipgram_step(W, C, torch.tensor([0, 1]), torch.arange(4), 0.0) == pytest.approx(expected.item())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_huge_scores_give_finite_losses_and_errors(objective):
    target = target_of(objective, 0)
    columns = WORDS if target.rows is None else len(target.rows)
    scores = torch.tensor([[1e4] * columns, [-1e4] * columns], dtype=torch.float32)
    assert torch.isfinite(target.loss(scores))
    assert torch.isfinite(target.error(scores)).all()
