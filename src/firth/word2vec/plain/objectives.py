"""Every objective and both models in plain PyTorch, to read beside the papers and to test the kernels against.

Shapes: V vocabulary, D dimensions, H hidden vectors (one a context for skip-gram, one for CBOW) made of K input rows,
J output rows that a word is predicted with. A hidden vector h and an output row o meet only in their score h · o, so an
objective is a loss of the scores (H, J) and its derivative, the error; the gradients of the rows follow from the error
alone (`step`). Any float type.

- Mikolov et al. (2013a), Efficient estimation of word representations in vector space: the two models.
- Mikolov et al. (2013b), Distributed representations of words and phrases and their compositionality: the objectives.
- Morin and Bengio (2005), Hierarchical probabilistic neural network language model: words as leaves of a tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid


class Target(Protocol):
    """What a hidden vector is to predict."""

    @property
    def rows(self) -> Tensor | None:
        """The output rows (J,) that take part, int64; None: all of them."""

    def loss(self, scores: Tensor) -> Tensor:
        """The loss, summed over the hidden vectors, of `scores` (H, J)."""

    def error(self, scores: Tensor) -> Tensor:
        """The derivative of `loss` by each score (H, J)."""


@dataclass(frozen=True)
class NegativeSampling:
    """The word `rows[0]` against noise words `rows[1:]` (2013b, equation 4): a yes or no for each."""

    rows: Tensor

    def loss(self, scores: Tensor) -> Tensor:
        """−log σ(score) of the word, −log σ(−score) of the noise."""
        return -(logsigmoid(scores[:, 0]).sum() + logsigmoid(-scores[:, 1:]).sum())

    def error(self, scores: Tensor) -> Tensor:
        """σ(score) − label."""
        labels = torch.zeros(scores.shape[1], dtype=scores.dtype)
        labels[0] = 1.0
        return torch.sigmoid(scores) - labels


@dataclass(frozen=True)
class HierarchicalSoftmax:
    """The word as the leaf of a binary tree (2013b, equation 3): a yes or no at each inner node on its way.

    `rows` are these nodes from the root, `codes` (J,) the turns: 0 where σ(score) is the probability of the turn taken,
    1 where it is σ(−score). The probabilities of all leaves add up to 1.
    """

    rows: Tensor
    codes: Tensor

    def loss(self, scores: Tensor) -> Tensor:
        """−log of the product of the turns' probabilities."""
        signs = 1.0 - 2.0 * self.codes.to(scores.dtype)
        return -logsigmoid(signs * scores).sum()

    def error(self, scores: Tensor) -> Tensor:
        """σ(score) − (1 − code)."""
        return torch.sigmoid(scores) - (1.0 - self.codes.to(scores.dtype))


@dataclass(frozen=True)
class FullSoftmax:
    """The word `word` among all V words (2013b, equation 2): exact, and V scores for each prediction."""

    word: int

    @property
    def rows(self) -> None:
        """All output rows."""
        return

    def loss(self, scores: Tensor) -> Tensor:
        """−log of the word's share of the exponentials."""
        return -log_softmax(scores, dim=1)[:, self.word].sum()

    def error(self, scores: Tensor) -> Tensor:
        """Softmax − label."""
        error = torch.softmax(scores, dim=1)
        error[:, self.word] -= 1.0
        return error


@dataclass(frozen=True)
class Hidden:
    """Hidden vectors (H, D) as shares (H, K) of input rows `rows` (K,): shares · W[rows]; 0 where a row has no part.

    A row may be named more than once.
    """

    rows: Tensor
    shares: Tensor

    @classmethod
    def of_each(cls, bags: Sequence[Tensor]) -> Hidden:
        """Skip-gram: one hidden vector a context, the mean of its bag (K,).

        The bag of a context is its own row, and with subwords the rows of its n-grams.
        """
        sizes = torch.tensor([len(bag) for bag in bags])
        context = torch.arange(len(bags)).repeat_interleave(sizes)  # that each row belongs to, (K,)
        shares = (context == torch.arange(len(bags))[:, None]) / sizes[:, None].double()
        return cls(torch.cat(list(bags)), shares)

    @classmethod
    def mean_of(cls, bags: Sequence[Tensor]) -> Hidden:
        """CBOW: one hidden vector, the mean of the rows of all contexts."""
        return cls.of_each([torch.cat(list(bags))])

    def vectors(self, W: Tensor) -> Tensor:
        """The hidden vectors (H, D)."""
        return self.shares.to(W.dtype) @ W[self.rows]

    def learn(self, W: Tensor, gradient: Tensor, rate: float) -> None:
        """Descend `gradient` (H, D), in place: as in the toolkit, each row gets the whole of it, not its share."""
        parts = (self.shares > 0).to(W.dtype)
        W.index_add_(0, self.rows, parts.T @ gradient, alpha=-rate)


def loss_of(W: Tensor, C: Tensor, hidden: Hidden, target: Target) -> Tensor:
    """The summed loss of predicting `target` from each hidden vector."""
    outputs = C if target.rows is None else C[target.rows]
    return target.loss(hidden.vectors(W) @ outputs.T)


def step(W: Tensor, C: Tensor, hidden: Hidden, target: Target, rate: float) -> float:
    """One SGD step, in place, of predicting `target` from each hidden vector. Returns the summed loss.

    All gradients are taken at the values before the step; a row that is named twice gets both of its gradients.
    """
    h = hidden.vectors(W)  # (H, D)
    outputs = C if target.rows is None else C[target.rows]  # (J, D)
    scores = h @ outputs.T
    loss, error = target.loss(scores), target.error(scores)
    hidden.learn(W, error @ outputs, rate)
    if target.rows is None:
        C.addmm_(error.T, h, alpha=-rate)  # (V, D) gradients, added as they are computed
    else:
        C.index_add_(0, target.rows, error.T @ h, alpha=-rate)
    return float(loss)


def pair_loss(hidden: Tensor, outputs: Tensor) -> Tensor:
    """Negative-sampling loss, summed over the pairs of (H, D) against (J, D), whose first row is the word."""
    return NegativeSampling(torch.arange(len(outputs))).loss(hidden @ outputs.T)


def skipgram_step(W: Tensor, C: Tensor, contexts: Tensor, words: Tensor, rate: float) -> float:
    """One negative-sampling step of each input row of `contexts` (H,) by itself against output rows `words` (J,)."""
    return step(W, C, Hidden.of_each(list(contexts[:, None])), NegativeSampling(words), rate)


def cbow_step(W: Tensor, C: Tensor, contexts: Tensor, words: Tensor, rate: float) -> float:
    """One negative-sampling step of the mean of input rows `contexts` (K,) against output rows `words` (J,)."""
    return step(W, C, Hidden.mean_of(list(contexts[:, None])), NegativeSampling(words), rate)
