"""BERT reading single sentences: what it puts behind a blank, and where its heads look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from firth.bert.folder import Bert

TOP = 5
MASK = "[MASK]"
MOST_PIECES = 32
"""Pieces of the sentence that a heat map has room for."""

STRONG = 4
"""Full strength is the largest share there is, and at least so many times an even one: even attention looks pale."""

DECIMALS = 3


def fillings(bert: Bert, sentences: Sequence[str]) -> list[dict[str, Any]]:
    """`[{"parts": text around the blanks, "masks": [[{"piece", "probability"}]]}]`, the five likeliest a blank.

    Sentences without a blank are left out.
    """
    from firth.encode.use import fill

    asked = [sentence for sentence in sentences if MASK in sentence]
    return [
        {
            "parts": sentence.split(MASK),
            "masks": [
                [{"piece": piece, "probability": round(float(share), DECIMALS + 1)} for piece, share in one]
                for one in answer
            ],
        }
        for sentence, answer in zip(asked, fill(bert, asked, top=TOP), strict=True)
    ]


def attention_map(bert: Bert, sentence: str) -> dict[str, Any]:
    """All heads of the layer with the most decided head, which `head` points to.

    Returns:
        `{"text", "pieces", "cut", "layer", "head", "layers", "heads": [(pieces, pieces) shares], "top", "even"}`;
        layer and head count from 0, `cut` says whether only the first pieces are shown, `top` the share at full
        strength, `even` that of attention spread evenly.
    """
    from firth.encode.use import attention

    pieces, weights = attention(bert, sentence)
    layer, head = most_decided(weights)
    shown = min(len(pieces), MOST_PIECES)
    heads = weights[layer, :, :shown, :shown]
    return {
        "text": sentence,
        "pieces": list(pieces[:shown]),
        "cut": shown < len(pieces),
        "layer": layer,
        "head": head,
        "layers": int(weights.shape[0]),
        "heads": [[[round(float(share), DECIMALS) for share in row] for row in one] for one in heads],
        "top": round(min(1.0, max(float(heads.max()), STRONG / len(pieces))), DECIMALS),
        "even": round(1 / len(pieces), DECIMALS),
    }


def most_decided(weights: NDArray[np.floating[Any]]) -> tuple[int, int]:
    """Layer and head of (layers, heads, pieces, pieces) whose rows are spread least evenly: lowest mean entropy."""
    import numpy as np

    shares = weights.astype(np.float64)
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=-1).mean(axis=-1).round(DECIMALS)
    layer, head = np.unravel_index(int(np.argmin(entropy)), entropy.shape)
    return int(layer), int(head)
