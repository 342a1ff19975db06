"""How well a model guesses the words that it cannot see: the measure by which trainings of unlike kinds are compared.

Of the positions that pretraining predicts, one in ten shows its own word (section 3.1, task 1): a model soon learns to
repeat what it sees there, and its loss falls without a glance at the context. The positions under [MASK] tell more.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812

from firth.bert.folder import Bert
from firth.bert.pretraining.evaluation import HeldOut, unigram_losses
from firth.config.bert import Bert as Settings
from firth.wordpiece.store import TokenStore


@dataclass(frozen=True)
class Hidden:
    """Over `positions` words: mean loss, that of guessing by piece frequencies (nats), share guessed right."""

    positions: int
    loss: float
    unigram: float
    accuracy: float


def hidden_words(bert: Bert, store: TokenStore, settings: Settings, seed: int, causal: bool = False) -> Hidden | None:
    """What `bert` makes of the words under [MASK] in the held-out text of `store`; None where there are none.

    Args:
        bert: a model of the store's vocabulary.
        store: the text.
        settings: how instances are made and masked; not necessarily those that `bert` was trained with.
        seed: of the instances.
        causal: `bert` reads from left to right: it is asked for the same words, given the whole text to their left.
    """
    masked = HeldOut.of(store, settings.model_copy(update={"objective": "masked"}), seed)
    shown = HeldOut.of(store, settings.model_copy(update={"objective": "left_to_right"}), seed) if causal else masked
    if masked is None or shown is None:
        return None
    by_frequency = torch.from_numpy(unigram_losses(store.unigrams))
    losses, guesses, right = [], [], []
    with torch.inference_mode():
        for batch, given in zip(masked.batches, shown.batches, strict=True):
            hidden = batch.ids[batch.predicted] == bert.tokenizer.mask
            labels, places = batch.masked_lm_labels[hidden], batch.predicted[hidden]
            # Both looks hold the same instances in the same order; left to right, a word is read off the one before it.
            read = places - 1 if causal else places
            logits = bert.model.packed(given.ids, given.segments, given.layout, read).mlm
            losses.append(F.cross_entropy(logits, labels, reduction="none"))
            guesses.append(by_frequency[labels])
            right.append(logits.argmax(-1) == labels)
    positions = sum(map(len, losses))
    if not positions:
        return None
    loss, unigram, accuracy = (float(torch.cat(part).double().mean()) for part in (losses, guesses, right))
    return Hidden(positions, loss, unigram, accuracy)
