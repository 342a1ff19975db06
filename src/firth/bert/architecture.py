"""How large a BERT is: the numbers that its weights' shapes follow from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from firth.errors import ConfigError

SIZES: dict[str, tuple[int, int]] = {
    "tiny": (2, 128),
    "mini": (4, 256),
    "small": (4, 512),
    "medium": (8, 512),
    "base": (12, 768),
    "large": (24, 1024),
}
"""Layers and hidden size; base and large are the paper's, the others those of Turc et al. (2019)."""

HEAD_SIZE = 64
"""Dimensions of an attention head, in all of these sizes."""


@dataclass(frozen=True)
class Architecture:
    """The shape of a model, section 3 of the paper: L layers, hidden size H, A attention heads."""

    vocabulary: int
    """Pieces in the vocabulary."""
    layers: int
    hidden: int
    heads: int
    intermediate: int
    """Width of the feed-forward part, 4H in the paper."""
    positions: int
    """Longest sequence, in tokens."""
    segments: int = 2
    dropout: float = 0.1
    epsilon: float = 1e-12
    """What LayerNorm adds to the variance."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("dropout", "epsilon") and (not isinstance(value, int) or value < 1):
                raise ConfigError(f"architecture: {field.name} is {value!r}, but must be a whole number of 1 or more")
        if self.hidden % self.heads:
            raise ConfigError(f"architecture: hidden ({self.hidden}) must be a multiple of heads ({self.heads})")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"architecture: dropout is {self.dropout!r}, but must be at least 0 and less than 1")
        if not self.epsilon > 0:
            raise ConfigError(f"architecture: epsilon is {self.epsilon!r}, but must be positive")

    @classmethod
    def of(cls, size: str, vocabulary: int, positions: int = 512, dropout: float = 0.1) -> Self:
        """The architecture of a named size; `ConfigError` names the sizes that there are."""
        if size not in SIZES:
            raise ConfigError(f"size {size!r}: one of {', '.join(SIZES)}")
        layers, hidden = SIZES[size]
        return cls(
            vocabulary=vocabulary,
            layers=layers,
            hidden=hidden,
            heads=hidden // HEAD_SIZE,
            intermediate=4 * hidden,
            positions=positions,
            dropout=dropout,
        )

    def parameters(self) -> int:
        """Weights of the whole pretraining model; the MLM decoder is the token embeddings and counts once."""
        norm = 2 * self.hidden
        square = self.hidden * self.hidden + self.hidden
        embeddings = (self.vocabulary + self.positions + self.segments) * self.hidden + norm
        feed_forward = 2 * self.hidden * self.intermediate + self.intermediate + self.hidden
        layer = 4 * square + norm + feed_forward + norm
        pooler = square
        masked_words = square + norm + self.vocabulary
        next_sentence = 2 * self.hidden + 2
        return embeddings + self.layers * layer + pooler + masked_words + next_sentence
