"""BERT, to be read beside Devlin et al. (2019), section 3, and Vaswani et al. (2017), section 3.

Shapes: B sequences of L tokens, or T tokens of N instances that are packed one behind the other (`attention`); H hidden
size, A attention heads of D = H / A dimensions; I width of the feed-forward part; V pieces in the vocabulary; P
predicted tokens of the whole batch. (…, H) stands for (B, L, H) and for (T, H).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from firth.bert import attention
from firth.bert.architecture import Architecture
from firth.bert.attention import Layout, Packed
from firth.bert.dropout import Dropout

STANDARD_DEVIATION = 0.02
"""Of the truncated normal distribution that all weights start from; it is cut off at two of these."""


class Embeddings(nn.Module):
    """Token, segment and position embeddings, summed (figure 2)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.tokens = nn.Embedding(architecture.vocabulary, architecture.hidden)
        self.segments = nn.Embedding(architecture.segments, architecture.hidden)
        self.positions = nn.Embedding(architecture.positions, architecture.hidden)
        self.norm = nn.LayerNorm(architecture.hidden, eps=architecture.epsilon)
        self.dropout = Dropout(architecture.dropout)

    def forward(self, ids: Tensor, segments: Tensor | None, positions: Tensor | None = None) -> Tensor:
        """ids, segments, positions (B, L) or (T,) -> (…, H); no segments: all 0; no positions: 0 to L − 1."""
        segment = self.segments.weight[0] if segments is None else self.segments(segments)  # (H) or (…, H)
        position = self.positions.weight[: ids.shape[1]] if positions is None else self.positions(positions)  # (…, H)
        return self.dropout(self.norm(self.tokens(ids) + segment + position))  # type: ignore[no-any-return]


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al., section 3.2)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.heads = architecture.heads
        self.dropout = architecture.dropout
        self.query = nn.Linear(architecture.hidden, architecture.hidden)
        self.key = nn.Linear(architecture.hidden, architecture.hidden)
        self.value = nn.Linear(architecture.hidden, architecture.hidden)
        self.output = nn.Linear(architecture.hidden, architecture.hidden)

    def forward(self, hidden: Tensor, layout: Layout) -> Tensor:
        """(…, H) -> (…, H)."""
        parts = (self.query, self.key, self.value)
        weight, bias = torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        projected = F.linear(hidden, weight, bias)  # (…, 3H): one product is faster than three
        return self.output(  # type: ignore[no-any-return]
            attention.attend(projected, self.heads, layout, self.dropout if self.training else 0.0)
        )

    def weights(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """See `attention.weights`; hidden (B, L, H), mask (B, 1, 1, L) or None."""
        return attention.weights(self.query(hidden), self.key(hidden), self.heads, mask)


class Layer(nn.Module):
    """Attention, then a feed-forward part, each with dropout, a residual connection and LayerNorm behind it."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.attention = SelfAttention(architecture)
        self.attention_norm = nn.LayerNorm(architecture.hidden, eps=architecture.epsilon)
        self.intermediate = nn.Linear(architecture.hidden, architecture.intermediate)
        self.output = nn.Linear(architecture.intermediate, architecture.hidden)
        self.output_norm = nn.LayerNorm(architecture.hidden, eps=architecture.epsilon)
        self.dropout = Dropout(architecture.dropout)

    def forward(self, hidden: Tensor, layout: Layout) -> Tensor:
        """(…, H) -> (…, H)."""
        hidden = self.attention_norm(hidden + self.dropout(self.attention(hidden, layout)))
        widened = F.gelu(self.intermediate(hidden))  # (…, I)
        return self.output_norm(hidden + self.dropout(self.output(widened)))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """The embeddings and L layers: a vector for each token in its context."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.embeddings = Embeddings(architecture)
        self.layers = nn.ModuleList(Layer(architecture) for _ in range(architecture.layers))

    def forward(
        self, ids: Tensor, segments: Tensor | None = None, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """The last layer's output.

        Args:
            ids: (B, L) int64.
            segments: (B, L) int64, 0 or 1; None: all 0.
            mask: (B, L) bool, True for a real token; None: no padding.
            causal: each token sees only itself and those before it.

        Returns:
            (B, L, H). Rows of padding hold numbers of no meaning.
        """
        attended = _from_the_left(ids, mask) if causal else _over_keys(mask)
        return self._through(self.embeddings(ids, segments), attended)

    def packed(self, ids: Tensor, segments: Tensor | None, layout: Packed) -> Tensor:
        """The last layer's output for instances one behind the other: ids, segments (T,) -> (T, H)."""
        return self._through(self.embeddings(ids, segments, layout.positions), layout)

    def layers_of(self, ids: Tensor, segments: Tensor | None = None, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """The embeddings' output and that of each layer: (layers + 1) tensors (B, L, H); arguments as `forward`."""
        return self._outputs(self.embeddings(ids, segments), _over_keys(mask))

    def packed_layers_of(self, ids: Tensor, segments: Tensor | None, layout: Packed) -> tuple[Tensor, ...]:
        """As `layers_of`, for instances one behind the other: (layers + 1) tensors (T, H); arguments as `packed`."""
        return self._outputs(self.embeddings(ids, segments, layout.positions), layout)

    def attentions_of(self, ids: Tensor, segments: Tensor | None = None, mask: Tensor | None = None) -> list[Tensor]:
        """The attention weights of each layer, (B, A, L, L), before dropout; arguments as `forward`."""
        attended = _over_keys(mask)
        inputs = self.layers_of(ids, segments, mask)[:-1]
        weights = []
        for layer, hidden in zip(self.layers, inputs, strict=True):
            assert isinstance(layer, Layer)
            weights.append(layer.attention.weights(hidden, attended))
        return weights

    def _through(self, hidden: Tensor, layout: Layout) -> Tensor:
        for layer in self.layers:
            hidden = layer(hidden, layout)
        return hidden

    def _outputs(self, hidden: Tensor, layout: Layout) -> tuple[Tensor, ...]:
        outputs = [hidden]
        for layer in self.layers:
            outputs.append(layer(outputs[-1], layout))
        return tuple(outputs)


def _over_keys(mask: Tensor | None) -> Tensor | None:
    """(B, L) -> (B, 1, 1, L): every head and every token attends to the same real tokens."""
    return None if mask is None else mask[:, None, None, :]


def _from_the_left(ids: Tensor, mask: Tensor | None) -> Tensor:
    """(1 or B, 1, L, L): each token attends to the real tokens up to itself, and to itself in any case."""
    length = ids.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    if mask is None:
        return before[None, None]
    itself = torch.eye(length, dtype=torch.bool, device=ids.device)
    return before & mask[:, None, None, :] | itself


class Pooler(nn.Module):
    """A vector of the whole input, from that of its first token, [CLS]."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.dense = nn.Linear(architecture.hidden, architecture.hidden)

    def forward(self, firsts: Tensor) -> Tensor:
        """The last layer's output for each [CLS] (left to right: each last [SEP]), (B, H) -> (B, H)."""
        return torch.tanh(self.dense(firsts))


class MaskedWords(nn.Module):
    """The head of the masked language model (section 3.1, task 1). Its decoder is the token embeddings, tied."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.dense = nn.Linear(architecture.hidden, architecture.hidden)
        self.norm = nn.LayerNorm(architecture.hidden, eps=architecture.epsilon)
        self.bias = nn.Parameter(torch.zeros(architecture.vocabulary))

    def forward(self, hidden: Tensor, embeddings: Tensor) -> Tensor:
        """(P, H), token embeddings (V, H) -> logits (P, V)."""
        return F.linear(self.norm(F.gelu(self.dense(hidden))), embeddings, self.bias)


class Logits(NamedTuple):
    """What the two pretraining tasks predict."""

    mlm: Tensor
    """(P, V)."""
    nsp: Tensor
    """(B, 2): class 0, the second segment follows the first in the text; class 1, it is a random one."""


class Pretraining(nn.Module):
    """The encoder with the heads of both pretraining tasks."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.encoder = Encoder(architecture)
        self.pooler = Pooler(architecture)
        self.mlm = MaskedWords(architecture)
        self.nsp = nn.Linear(architecture.hidden, 2)

    def forward(
        self, ids: Tensor, segments: Tensor | None, mask: Tensor | None, predicted: Tensor, causal: bool = False
    ) -> Logits:
        """Logits of the `predicted` tokens only: the decoder is the largest product of a small model.

        Args:
            ids: (B, L) int64.
            segments: (B, L) int64, 0 or 1; None: all 0.
            mask: (B, L) bool, True for a real token; None: no padding.
            predicted: (P,) int64, flat positions b * L + l.
            causal: each token sees only itself and those before it. Of a pair only the last [SEP] then sees both
                segments, so the next-sentence head reads that, not [CLS].
        """
        hidden = self.encoder(ids, segments, mask, causal)  # (B, L, H)
        whole = hidden[:, 0]
        if causal:
            whole = (
                hidden[:, -1] if mask is None else hidden[torch.arange(len(ids), device=ids.device), mask.sum(1) - 1]
            )
        return self._heads(hidden.flatten(0, 1)[predicted], whole)

    def packed(self, ids: Tensor, segments: Tensor | None, layout: Packed, predicted: Tensor) -> Logits:
        """As `forward`, for instances one behind the other: ids, segments (T,), predicted (P,); NSP logits (N, 2)."""
        hidden = self.encoder.packed(ids, segments, layout)  # (T, H)
        return self._heads(hidden[predicted], hidden[layout.lasts if layout.causal else layout.firsts])

    def _heads(self, predicted: Tensor, firsts: Tensor) -> Logits:
        """(P, H), (B, H) -> logits."""
        return Logits(
            mlm=self.mlm(predicted, self.encoder.embeddings.tokens.weight),
            nsp=self.nsp(self.pooler(firsts)),
        )


@torch.no_grad()
def initialise(model: nn.Module, seed: int) -> None:
    """Give `model` its first weights: truncated normal for matrices, 0 for biases, LayerNorm 1 and 0.

    The numbers come from a generator of their own, on the CPU: the same seed gives the same weights on every device,
    whatever was drawn before.
    """
    generator = torch.Generator().manual_seed(seed)
    limit = 2 * STANDARD_DEVIATION
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.weight.fill_(1.0)
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.dim() == 1:
                if name == "bias":
                    parameter.zero_()
                continue
            drawn = torch.empty(parameter.shape)
            nn.init.trunc_normal_(drawn, std=STANDARD_DEVIATION, a=-limit, b=limit, generator=generator)
            parameter.copy_(drawn)
