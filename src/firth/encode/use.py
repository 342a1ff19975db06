"""A BERT in use: masks filled, texts and words as vectors, attention."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from firth.bert.folder import NEW, Bert
from firth.errors import DataError, FirthError
from firth.training.products import fast_products
from firth.wordpiece.tokenizer import Encoded, Tokenizer

Pooling = Literal["cls", "mean", "tokens", "words"]
"""One vector a text, the first token's or the mean of all; or one a token or a word."""

Layers = Literal["last", "sum4", "concat4"]
"""The last layer, the sum of the last four, or those four side by side (section 5.3), the last one at the end."""

Vectors = NDArray[np.float32]

LAST = 4


class Parts(NamedTuple):
    """A text in parts, each with its vector."""

    names: list[str]
    """Pieces, special ones included; or words as they stand in the text."""
    vectors: Vectors
    """(parts, D)."""


def fill(bert: Bert, texts: Sequence[str], top: int = 5) -> list[list[list[tuple[str, float]]]]:
    """What could stand at each `[MASK]`: per text, per mask, the `top` most probable pieces with their probability.

    A text is cut at the model's longest sequence.

    Raises:
        FirthError: the model's MLM head was never trained.
        DataError: a text has no `[MASK]`, or none before it is cut.
    """
    if bert.heads["mlm"] == NEW:
        raise FirthError(
            "this model cannot fill masks: it came without a head for masked words, so its head is new and its answers "
            "would be random; pretrain it first"
        )
    tokenizer = bert.tokenizer
    encoded = [_encode(bert, text, None, bert.model.architecture.positions, mask_token=True) for text in texts]
    for text, one in zip(texts, encoded, strict=True):
        if tokenizer.mask not in one.ids:
            name = tokenizer.vocabulary[tokenizer.mask]
            why = f"no {name} in" if name not in text else f"each {name} lies behind token {len(one.ids)}, the end of"
            raise DataError(f"{why} the text {text[:60]!r}: there is nothing to fill")
    answers: list[list[list[tuple[str, float]]]] = [[] for _ in texts]
    with _in_use(bert) as device:
        embeddings = bert.model.encoder.embeddings.tokens.weight
        for chosen, ids, segments, mask in _batches(encoded, tokenizer.pad, 32, device):
            hidden = bert.model.encoder(ids, segments, mask)  # (B, L, H)
            row, position = (ids == tokenizer.mask).nonzero(as_tuple=True)  # (P,)
            logits = bert.model.mlm(hidden[row, position], embeddings)  # (P, V)
            best = logits.softmax(dim=-1).topk(min(top, logits.shape[1]), dim=-1)
            for where, shares, pieces in zip(row.tolist(), best.values.tolist(), best.indices.tolist(), strict=True):
                found = [(tokenizer.vocabulary[piece], share) for piece, share in zip(pieces, shares, strict=True)]
                answers[chosen[where]].append(found)
    return answers


def encode(
    bert: Bert,
    texts: Sequence[str],
    pooling: Pooling = "mean",
    layers: Layers = "last",
    length: int = 128,
    batch: int = 32,
    seconds: Sequence[str] | None = None,
) -> list[Vectors] | Vectors:
    """Vectors of texts, or of pairs of texts, in the order given.

    Texts of about the same length go through the model together; what else is in a batch changes a text's vectors by
    no more than rounding.

    Args:
        bert: the model.
        texts: what is encoded; `[MASK]` in them is text.
        pooling: `cls` the first token's vector; `mean` the mean over all tokens, [CLS] and [SEP] included, as sentence
            encoders are trained; `tokens`, `words`: all of them, see `encode_parts` for their names.
        layers: `last`, `sum4` or `concat4`.
        length: most tokens of a text, special ones included; never more than the model's positions.
        batch: most texts that go through the model at once.
        seconds: the second text of each pair.

    Returns:
        float32 (texts, D) for `cls` and `mean`, else a list with (parts, D) for each text; D is the hidden size, four
        times that for `concat4`.

    Raises:
        FirthError: `sum4` or `concat4` of a model with fewer than four layers.
    """
    if pooling in ("tokens", "words"):
        return [part.vectors for part in encode_parts(bert, texts, pooling, layers, length, batch, seconds)]
    vectors = np.empty((len(texts), width(bert, layers)), dtype=np.float32)
    encoded = _encode_all(bert, texts, seconds, length)
    with _in_use(bert) as device:
        for chosen, ids, segments, mask in _batches(encoded, bert.tokenizer.pad, batch, device):
            hidden = _hidden(bert, layers, ids, segments, mask)  # (B, L, D)
            pooled = hidden[:, 0] if pooling == "cls" else _mean(hidden, mask)
            vectors[chosen] = pooled.float().cpu().numpy()
    return vectors


def encode_parts(
    bert: Bert,
    texts: Sequence[str],
    pooling: Literal["tokens", "words"],
    layers: Layers = "last",
    length: int = 128,
    batch: int = 32,
    seconds: Sequence[str] | None = None,
) -> list[Parts]:
    """Vectors of each text's tokens or words, with their names; arguments and errors as `encode`.

    Tokens are all that the model reads, special ones included. A word is what BERT takes for one (punctuation stands
    alone); its vector is the mean of its pieces'.
    """
    width(bert, layers)
    found: list[Parts | None] = [None] * len(texts)
    encoded = _encode_all(bert, texts, seconds, length)
    with _in_use(bert) as device:
        for chosen, ids, segments, mask in _batches(encoded, bert.tokenizer.pad, batch, device):
            hidden = _hidden(bert, layers, ids, segments, mask).float().cpu().numpy()
            for row, index in enumerate(chosen):
                one = encoded[index]
                own: Vectors = hidden[row, : len(one.ids)]
                if pooling == "tokens":
                    found[index] = Parts([bert.tokenizer.vocabulary[piece] for piece in one.ids], own.copy())
                    continue
                spans = _words(bert.tokenizer, one)
                sides = (texts[index], "" if seconds is None else seconds[index])
                found[index] = Parts(
                    [sides[one.sides[a]][one.offsets[a][0] : one.offsets[b - 1][1]] for a, b in spans],
                    np.stack([own[a:b].mean(axis=0) for a, b in spans]) if spans else own[:0].copy(),
                )
    return [part for part in found if part is not None]


def attention(bert: Bert, text: str) -> tuple[list[str], Vectors]:
    """The pieces of `text`, special ones included, and who attends to whom: (layers, heads, L, L), rows sum to 1."""
    one = _encode(bert, text, None, bert.model.architecture.positions)
    with _in_use(bert) as device:
        weights = bert.model.encoder.attentions_of(torch.tensor([one.ids], device=device))
        stacked: Vectors = torch.cat(weights).float().cpu().numpy()
    return [bert.tokenizer.vocabulary[piece] for piece in one.ids], stacked


def word_vector(bert: Bert, text: str, word: str, layers: Layers = "sum4") -> Vectors:
    """(D,): the mean vector of the pieces of `word` where it first stands in `text` as a whole word.

    Capitals are ignored where the model ignores them.

    Raises:
        DataError: the word is not there, or behind the model's longest sequence.
        FirthError: as `encode`.
    """
    width(bert, layers)
    pattern = rf"(?<!\w){re.escape(word)}(?!\w)"
    place = re.search(pattern, text, re.IGNORECASE if bert.tokenizer.lowercase else 0)
    if place is None or not word:
        raise DataError(f"the word {word!r} does not stand in {text[:60]!r}")
    one = _encode(bert, text, None, bert.model.architecture.positions)
    own = [
        index
        for index, ((start, end), side) in enumerate(zip(one.offsets, one.sides, strict=True))
        if side == 0 and start < place.end() and end > place.start()
    ]
    if not own:
        raise DataError(f"the word {word!r} lies behind token {len(one.ids)}, where the model stops reading")
    with _in_use(bert) as device:
        hidden = _hidden(bert, layers, torch.tensor([one.ids], device=device), None, None)
        vector: Vectors = hidden[0, own].mean(dim=0).float().cpu().numpy()
    return vector


def width(bert: Bert, layers: Layers) -> int:
    """Dimensions of a vector; `FirthError` where the model has too few layers."""
    architecture = bert.model.architecture
    if layers != "last" and architecture.layers < LAST:
        raise FirthError(
            f"layers {layers!r} takes the last {LAST} layers, and this model has {architecture.layers}: use 'last'"
        )
    return architecture.hidden * (LAST if layers == "concat4" else 1)


def is_cut(bert: Bert, text: str, length: int, mask_token: bool = False) -> bool:
    """Whether `text` has more tokens than `length`, special ones included; `mask_token` as for the tokenizer."""
    whole = _encode(bert, text, None, sys.maxsize, mask_token)
    return len(whole.ids) > length


@contextmanager
def _in_use(bert: Bert) -> Iterator[torch.device]:
    """The model in evaluation mode, without gradients; its device."""
    training = bert.model.training
    bert.model.eval()
    try:
        with fast_products(), torch.inference_mode():
            yield next(bert.model.parameters()).device
    finally:
        bert.model.train(training)


def _encode(bert: Bert, first: str, second: str | None, length: int, mask_token: bool = False) -> Encoded:
    return bert.tokenizer.encode(first, second, length=length, mask_token=mask_token)


def _encode_all(bert: Bert, texts: Sequence[str], seconds: Sequence[str] | None, length: int) -> list[Encoded]:
    if seconds is not None and len(seconds) != len(texts):
        raise ValueError(f"{len(texts)} texts but {len(seconds)} seconds")
    most = min(length, bert.model.architecture.positions)
    pairs = zip(texts, seconds if seconds is not None else [None] * len(texts), strict=True)
    return [_encode(bert, first, second, most) for first, second in pairs]


def _batches(
    encoded: Sequence[Encoded], pad: int, size: int, device: torch.device
) -> Iterator[tuple[list[int], Tensor, Tensor, Tensor | None]]:
    """Longest first: which texts, and their ids, segments (B, L) and mask (B, L; None without padding)."""
    order = sorted(range(len(encoded)), key=lambda index: -len(encoded[index].ids))
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        lengths = [len(encoded[index].ids) for index in chosen]
        ids = torch.full((len(chosen), lengths[0]), pad)
        segments = torch.zeros_like(ids)
        for row, index in enumerate(chosen):
            ids[row, : lengths[row]] = torch.tensor(encoded[index].ids)
            segments[row, : lengths[row]] = torch.tensor(encoded[index].segments)
        mask = None
        if lengths[-1] != lengths[0]:
            mask = (torch.arange(lengths[0]) < torch.tensor(lengths)[:, None]).to(device)
        yield chosen, ids.to(device), segments.to(device), mask


def _hidden(bert: Bert, layers: Layers, ids: Tensor, segments: Tensor | None, mask: Tensor | None) -> Tensor:
    """(B, L, D)."""
    if layers == "last":
        return bert.model.encoder(ids, segments, mask)  # type: ignore[no-any-return]
    last = bert.model.encoder.layers_of(ids, segments, mask)[-LAST:]
    return torch.stack(last).sum(dim=0) if layers == "sum4" else torch.cat(last, dim=-1)


def _mean(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """(B, L, D) -> (B, D), over real tokens."""
    if mask is None:
        return hidden.mean(dim=1)
    real = mask[:, :, None].to(hidden.dtype)  # (B, L, 1)
    return (hidden * real).sum(dim=1) / real.sum(dim=1)


def _words(tokenizer: Tokenizer, one: Encoded) -> list[tuple[int, int]]:
    """Where each word's pieces start and end among the tokens."""
    spans: list[tuple[int, int]] = []
    for index, (piece, side) in enumerate(zip(one.ids, one.sides, strict=True)):
        if side < 0:
            continue
        if tokenizer.continues[piece] and spans and spans[-1][1] == index:
            spans[-1] = (spans[-1][0], index + 1)
        else:
            spans.append((index, index + 1))
    return spans
