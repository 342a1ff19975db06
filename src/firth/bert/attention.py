"""Attention (Vaswani et al., 2017, section 3.2) in two layouts: rows with padding, and instances one behind the other.

Packed, all that a model does to single tokens it does to T real tokens, and only attention must know where one instance
ends and the next begins:

    padded   [CLS] a a a [SEP] b [SEP]              packed   [CLS] a a a [SEP] b [SEP] [CLS] c [SEP] d d [SEP]
             [CLS] c [SEP] d d [SEP] ·               offsets  0                         7                        13

Read from left to right (`causal`), a token attends to itself and to those before it only.

On a GPU that is what flash attention over sequences of various lengths takes. Elsewhere queries, keys and values are
spread over a padded grid for the one step that needs it, and the result is gathered again.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from firth.bert.dropout import dropped

HALVES = (torch.bfloat16, torch.float16)
"""What flash attention computes in."""

TOGETHER = 1 << 20
"""Attention weights that are worked on together on a CPU."""


class Packed(NamedTuple):
    """Where N instances lie among T tokens."""

    offsets: Tensor
    """(N + 1,) int32: instance i has the tokens from offsets[i] to offsets[i + 1]; the last is T."""
    positions: Tensor
    """(T,) int64: each token's place in its instance."""
    grid: Tensor
    """(T,) int64: each token's place in N rows of `longest` tokens."""
    longest: int
    """Tokens of an instance at most."""
    causal: bool = False
    """Whether a token sees only itself and those before it in its instance."""

    def to(self, device: str) -> Packed:
        """The same on `device`."""
        return self._replace(
            offsets=self.offsets.to(device), positions=self.positions.to(device), grid=self.grid.to(device)
        )

    @property
    def firsts(self) -> Tensor:
        """(N,) int64: where each instance's [CLS] stands (anywhere, of an empty one)."""
        return self.offsets[:-1].long().clamp(max=len(self.positions) - 1)

    @property
    def lasts(self) -> Tensor:
        """(N,) int64: where each instance's last [SEP] stands (anywhere, of an empty one)."""
        return (self.offsets[1:].long() - 1).clamp(min=0)


Layout = Tensor | Packed | None
"""How instances lie in a batch: padded rows with a mask of keys, (B, 1, 1 or L, L), or without (None); packed."""


def attend(projected: Tensor, heads: int, layout: Layout, dropout: float) -> Tensor:
    """softmax(Q Kᵀ / √D) V of each head, within each instance.

    `projected` holds Q, K and V of each token side by side: (B, L, 3H), or (T, 3H) packed, with H = `heads` · D; what
    is returned is (…, H). `dropout` is that of the attention weights.
    """
    split = projected.view(*projected.shape[:-1], 3, heads, -1)  # (…, 3, A, D)
    if not isinstance(layout, Packed):
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)  # (B, A, L, D)
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=layout, dropout_p=dropout)
        return context.transpose(1, 2).flatten(2)
    if split.is_cuda and split.dtype in HALVES:
        return _flash(split, layout, dropout)
    return _on_grid(split, layout, dropout)


def weights(query: Tensor, key: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    """softmax(Q Kᵀ / √D) of padded rows, (B, A, L, L): how much each token (third axis) takes from each (last axis)."""
    query, key = (_split(part, heads).transpose(1, 2) for part in (query, key))  # (B, A, L, D)
    scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])  # (B, A, L, L)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(dim=-1)


def _flash(tokens: Tensor, packed: Packed, dropout: float) -> Tensor:
    """(T, 3, A, D) -> (T, H), by the operator behind `torch.nn.attention.varlen`, which has no argument for dropout."""
    ends, longest = packed.offsets, packed.longest
    context: Tensor = torch.ops.aten._flash_attention_forward(
        *tokens.unbind(1), ends, ends, longest, longest, dropout, packed.causal, False
    )[0]
    return context.flatten(1)


def _on_grid(tokens: Tensor, packed: Packed, dropout: float) -> Tensor:
    """(T, 3, A, D) -> (T, H), by way of padded rows."""
    longest, lengths = packed.longest, packed.offsets.diff()  # lengths: (N,)
    by_hand = tokens.device.type == "cpu" and not torch.compiler.is_compiling()
    if by_hand:  # without the spare instances at the end, which are empty: shapes need not be the same in every step
        lengths = lengths[: int(lengths.nonzero()[-1]) + 1]
    rows = len(lengths)
    spread = tokens.new_zeros(rows * longest, *tokens.shape[1:]).index_copy(0, packed.grid, tokens)
    query, key, value = spread.view(rows, longest, *spread.shape[1:]).permute(2, 0, 3, 1, 4).unbind(0)  # (N, A, L, D)
    places = torch.arange(longest, device=tokens.device)
    if packed.causal:  # padding stands behind all real tokens, which therefore do not see it
        seen = (places <= places[:, None])[None, None]  # (1, 1, L, L)
    else:
        seen = (places < lengths[:, None].clamp(min=1))[:, None, None, :]  # (N, 1, 1, L): no row is all padding
    if by_hand:
        context = _in_parts(query, key, value, seen, lengths.tolist(), dropout)
    else:
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, dropout_p=dropout)
    return context.transpose(1, 2).flatten(0, 1).index_select(0, packed.grid).flatten(1)


def _in_parts(query: Tensor, key: Tensor, value: Tensor, seen: Tensor, lengths: list[int], dropout: float) -> Tensor:
    """The same, a few rows at a time, whose weights stay in the CPU's cache, and no wider than the longest of them."""
    rows, heads, longest, dimensions = query.shape
    hidden = torch.zeros(seen.shape, dtype=query.dtype).masked_fill(~seen, -math.inf).expand(rows, -1, -1, -1)
    query = query * (1.0 / math.sqrt(dimensions))
    together = max(1, TOGETHER // (heads * longest * longest))
    contexts = []
    parts = zip(*(torch.split(part, together) for part in (query, key, value, hidden)), strict=True)
    for number, (*rows_of, mask) in enumerate(parts):
        wide = max(1, *lengths[number * together : (number + 1) * together])
        q, k, v = (part[:, :, :wide] for part in rows_of)  # (n, A, wide, D)
        weight = (q @ k.transpose(2, 3) + mask[:, :, :wide, :wide]).softmax(dim=-1)  # (n, A, wide, wide)
        context = dropped(weight, dropout).to(v.dtype) @ v
        contexts.append(F.pad(context, (0, 0, 0, longest - wide)))
    return torch.cat(contexts)


def _split(hidden: Tensor, heads: int) -> Tensor:
    """(…, H) -> (…, A, D)."""
    return hidden.view(*hidden.shape[:-1], heads, -1)
