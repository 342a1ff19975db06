"""One step of each model in plain PyTorch, to read beside the papers and to test the kernels against.

Shapes: V vocabulary, D dimensions, C contexts, J = 1 + negatives (column 0 is the positive). Any float type.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def pair_loss(contexts: Tensor, outputs: Tensor) -> Tensor:
    """Negative-sampling loss (Mikolov et al., 2013b, equation 4), summed over the pairs of (C, D) against (J, D)."""
    scores = contexts @ outputs.T  # (C, J)
    return -(logsigmoid(scores[:, 0]).sum() + logsigmoid(-scores[:, 1:]).sum())


def skipgram_step(W: Tensor, C: Tensor, contexts: Tensor, words: Tensor, rate: float) -> float:
    """One SGD step, in place, of input rows `contexts` (C,) against output rows `words` (J,).

    All gradients are taken at the values before the step; a row that is named twice gets both of its gradients.
    Returns the summed loss.
    """
    context, output = W[contexts], C[words]  # (C, D), (J, D)
    loss = pair_loss(context, output)
    labels = torch.zeros(len(words), dtype=W.dtype)
    labels[0] = 1.0
    gradient = rate * (labels - torch.sigmoid(context @ output.T))  # (C, J), minus d loss / d scores
    W.index_add_(0, contexts, gradient @ output)
    C.index_add_(0, words, gradient.T @ context)
    return float(loss)


def cbow_step(W: Tensor, C: Tensor, contexts: Tensor, words: Tensor, rate: float) -> float:
    """One step, in place, of the mean of input rows `contexts` (C,) against output rows `words` (J,).

    As in the toolkit, each context gets the whole gradient of the mean, not its 1/C share. Returns the loss.
    """
    hidden, output = W[contexts].mean(0, keepdim=True), C[words]  # (1, D), (J, D)
    loss = pair_loss(hidden, output)
    labels = torch.zeros(len(words), dtype=W.dtype)
    labels[0] = 1.0
    gradient = rate * (labels - torch.sigmoid(hidden @ output.T))  # (1, J)
    W.index_add_(0, contexts, (gradient @ output).expand(len(contexts), -1))
    C.index_add_(0, words, gradient.T @ hidden)
    return float(loss)
