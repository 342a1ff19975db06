"""The weights that a training starts from: new ones, a checkpoint's, or another model's with a vocabulary extended."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from firth.bert.architecture import Architecture
from firth.bert.data.plan import WEIGHTS
from firth.bert.folder import HEADS, NEW, TRAINED, Bert
from firth.bert.model import Pretraining, initialise
from firth.bert.pretraining.evaluation import unigram_losses
from firth.config import bert as config
from firth.errors import ConfigError
from firth.training.splitmix import stream_start
from firth.wordpiece.tokenizer import Tokenizer

CONTINUES = "##"


def first_weights(
    settings: config.Bert, tokenizer: Tokenizer, init: Bert | None, unigrams: NDArray[np.int64] | None = None
) -> Pretraining:
    """A model for the vocabulary of `tokenizer`: of the settings' size, or `init`'s weights in `init`'s architecture.

    `unigrams` (V,) are the counts of the pieces, which `frequency_bias` needs.

    Raises:
        ConfigError: `init` reads too few positions, or its vocabulary is not the beginning of the tokenizer's.
    """
    architecture = _architecture(settings, tokenizer, init)
    model = _empty(architecture)
    if init is None:
        initialise(model, stream_start(settings.seed, WEIGHTS) >> 1)
        if settings.frequency_bias:
            assert unigrams is not None, "frequency_bias needs the counts of the pieces"
            with torch.no_grad():
                model.mlm.bias.copy_(torch.from_numpy(-unigram_losses(unigrams)))
        return model
    pieces = _pieces_of(tokenizer, init.tokenizer)
    old = init.model.architecture
    _say(old, architecture, len(init.tokenizer))
    weights = {name: tensor.detach().clone() for name, tensor in init.model.state_dict().items()}
    position = "encoder.embeddings.positions.weight"
    weights[position] = weights[position][: settings.positions].clone()
    for name in ("encoder.embeddings.tokens.weight", "mlm.bias"):
        added = [weights[name][piece].mean(dim=0) for piece in pieces]
        weights[name] = torch.cat((weights[name], torch.stack(added))) if added else weights[name]
    model.load_state_dict(weights)
    return model


def saved_weights(
    settings: config.Bert, tokenizer: Tokenizer, init: Bert | None, arrays: Mapping[str, NDArray[Any]]
) -> Pretraining:
    """The model of `first_weights` with the weights of a checkpoint's `arrays`; none are drawn to be replaced.

    Raises:
        ConfigError: `init` reads too few positions.
    """
    model = _empty(_architecture(settings, tokenizer, init))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(arrays[name]))
    return model


def trained_heads(settings: config.Bert, init: Bert | None) -> dict[str, str]:
    """Which heads a training of these settings leaves trained."""
    before = dict.fromkeys(HEADS, NEW) if init is None else init.heads
    return before | {"mlm": TRAINED} | ({"pooler": TRAINED, "nsp": TRAINED} if settings.next_sentence else {})


def split_piece(piece: str, ids: dict[str, int], unknown: int) -> list[int]:
    """The ids of the pieces, longest first from the left, that an older vocabulary cuts a newer piece into."""
    found, rest = [], piece.removeprefix(CONTINUES)
    prefix = CONTINUES if piece != rest else ""
    while rest:
        size = next((size for size in range(len(rest), 0, -1) if prefix + rest[:size] in ids), 0)
        if size == 0:
            return [unknown]
        found.append(ids[prefix + rest[:size]])
        rest, prefix = rest[size:], CONTINUES
    return found


def _architecture(settings: config.Bert, tokenizer: Tokenizer, init: Bert | None) -> Architecture:
    if init is None:
        return Architecture.of(settings.size, len(tokenizer), settings.positions, settings.dropout)
    old = init.model.architecture
    if settings.positions > old.positions:
        raise ConfigError(
            f"bert.positions is {settings.positions}, but the model that training goes on from has embeddings for "
            f"{old.positions}; set it to {old.positions} or less"
        )
    return replace(old, vocabulary=len(tokenizer), positions=settings.positions, dropout=settings.dropout)


def _empty(architecture: Architecture) -> Pretraining:
    """A model that holds no weights yet: those that its layers draw by themselves would all be replaced."""
    with torch.device("meta"):
        model = Pretraining(architecture)
    return model.to_empty(device="cpu")


def _pieces_of(tokenizer: Tokenizer, old: Tokenizer) -> list[list[int]]:
    """For each piece that `tokenizer` adds to `old`: the old pieces that its embedding starts from."""
    known = len(old.vocabulary)
    if tokenizer.vocabulary[:known] != old.vocabulary:
        raise ConfigError(
            f"the {known} pieces of the model that training goes on from are not the first ones of the token store's "
            f"{len(tokenizer)}: name that model's folder in wordpiece.base (and add pieces with "
            "wordpiece.extend), then make the token store anew"
        )
    for name in ("lowercase", "strip_accents", "chinese_characters"):
        ours, theirs = getattr(tokenizer, name), getattr(old, name)
        if ours != theirs:
            raise ConfigError(
                f"the token store was made with {name} {ours}, the model that training goes on from has {theirs}: set "
                f"wordpiece.{name} to {str(theirs).lower()} and make the token store anew"
            )
    ids = {piece: number for number, piece in enumerate(old.vocabulary)}
    return [split_piece(piece, ids, old.unk) for piece in tokenizer.vocabulary[known:]]


def _say(old: Architecture, new: Architecture, pieces: int) -> None:
    notes = [f"{old.layers} layers of {old.hidden} (its own size, whatever bert.size says)"]
    if new.vocabulary > pieces:
        notes.append(f"{new.vocabulary - pieces} new pieces behind its {pieces}")
    if new.positions < old.positions:
        notes.append(f"the last {old.positions - new.positions} of its {old.positions} positions are given up")
    print(f"bert: goes on from another model: {', '.join(notes)}", file=sys.stderr, flush=True)
