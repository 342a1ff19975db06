"""What each tensor of the model is called in `transformers`."""

from __future__ import annotations

import re

import torch

from firth.bert.architecture import Architecture
from firth.bert.model import Pretraining

_MODULES = {
    "encoder.embeddings.tokens": "embeddings.word_embeddings",
    "encoder.embeddings.segments": "embeddings.token_type_embeddings",
    "encoder.embeddings.positions": "embeddings.position_embeddings",
    "encoder.embeddings.norm": "embeddings.LayerNorm",
    "pooler.dense": "pooler.dense",
    "mlm": "cls.predictions",
    "mlm.dense": "cls.predictions.transform.dense",
    "mlm.norm": "cls.predictions.transform.LayerNorm",
    "nsp": "cls.seq_relationship",
}
_IN_A_LAYER = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}
_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)")

PREFIX = "bert."
"""Stands before the encoder's and the pooler's names in models that also have other heads."""


def names(architecture: Architecture) -> dict[str, str]:
    """Our name -> theirs, without `PREFIX`, for each tensor; the tied decoder is none."""
    with torch.device("meta"):
        ours = Pretraining(architecture).state_dict()
    return {name: _theirs(name) for name in ours}


def head_of(name: str) -> str | None:
    """`pooler`, `mlm` or `nsp` for a tensor of ours that belongs to it, None for one of the encoder."""
    part = name.split(".", 1)[0]
    return None if part == "encoder" else part


def plain(name: str) -> str:
    """A tensor's name in a file of theirs, without prefix, LayerNorm's weights as they are called today."""
    name = name.removeprefix(PREFIX)
    return re.sub(r"LayerNorm\.(gamma|beta)$", lambda old: f"LayerNorm.{_TODAY[old[1]]}", name)


_TODAY = {"gamma": "weight", "beta": "bias"}


def _theirs(name: str) -> str:
    module, _, tensor = name.rpartition(".")
    if found := _LAYER.fullmatch(module):
        return f"encoder.layer.{found[1]}.{_IN_A_LAYER[found[2]]}.{tensor}"
    return f"{_MODULES[module]}.{tensor}"
