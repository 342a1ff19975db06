"""A look at held-out text: the same instances each time, no dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from firth.bert.data.instances import Instances
from firth.bert.data.packing import PackedBatch, pack
from firth.bert.data.shares import SPARE, Share, spare
from firth.bert.data.text import Text
from firth.bert.model import Pretraining
from firth.bert.pretraining.device import Device
from firth.config.bert import Bert
from firth.training.processes import Processes
from firth.wordpiece.store import TokenStore

ROWS = 32
"""Instances that go through the model at once."""


@dataclass(frozen=True)
class HeldOut:
    """The instances of every look, and what guessing by frequency costs on the positions that they predict."""

    batches: Sequence[PackedBatch]
    unigram_loss: float
    """Nats a predicted token; frequencies of the training side, add-one smoothed."""

    @classmethod
    def of(cls, store: TokenStore, settings: Bert, seed: int) -> HeldOut | None:
        """The first instances of the held-out side in a seeded order; None where it holds no text.

        A side of one document has no pairs: next sentences are then not looked at.
        """
        text = Text.of(store.heldout)
        if len(text) == 0:
            return None
        instances = Instances(text, store.tokenizer, settings, seed, settings.next_sentence and len(text) > 1)
        count = min(settings.heldout.instances, len(instances.plan(0)))
        chosen = instances.choose(0, np.arange(count, dtype=np.int64))
        batches = [pack(batch) for batch in instances.batches(chosen, ROWS)]
        labels = torch.cat([batch.masked_lm_labels for batch in batches]).numpy()
        return cls(batches, float(unigram_losses(store.unigrams)[labels].mean()))

    @torch.no_grad()
    def look(self, model: Pretraining, device: Device, processes: Processes | None = None) -> dict[str, Any]:
        """`heldout` of a history row: losses, accuracies, and over how many predictions and instances.

        `nsp_majority` is the accuracy of always giving the commoner answer: about one half, and more where most
        documents are single sentences, which can only be followed by another document's. Several `processes` share
        the batches and all get the same answer.
        """
        was_training = model.training
        model.eval()
        mlm_loss = nsp_loss = 0.0
        mlm_right = nsp_right = predictions = instances = pairs = following = 0
        processes = processes or Processes()
        for number in Share(processes.rank, processes.count).of([batch.tokens for batch in self.batches]):
            batch = device.moved(spare(self.batches[0]) if number == SPARE else self.batches[number])
            with device.autocast():
                logits = model.packed(batch.ids, batch.segments, batch.layout, batch.predicted)
            losses = F.cross_entropy(logits.mlm.float(), batch.masked_lm_labels, reduction="none")
            mlm_loss += float(losses.double().sum())
            mlm_right += int((logits.mlm.argmax(-1) == batch.masked_lm_labels).sum())
            predictions += batch.predictions
            instances += batch.instances
            if batch.next_sentence_labels is not None:
                losses = F.cross_entropy(logits.nsp.float(), batch.next_sentence_labels, reduction="none")
                nsp_loss += float(losses.double().sum())
                nsp_right += int((logits.nsp.argmax(-1) == batch.next_sentence_labels).sum())
                following += int((batch.next_sentence_labels == 0).sum())
                pairs += batch.instances
        model.train(was_training)
        mlm_loss, nsp_loss, *counts = processes.sum(
            (mlm_loss, nsp_loss, mlm_right, nsp_right, predictions, instances, pairs, following)
        )
        mlm_right, nsp_right, predictions, instances, pairs, following = map(int, counts)
        return {
            "mlm_loss": mlm_loss / predictions,
            "mlm_accuracy": mlm_right / predictions,
            "nsp_loss": nsp_loss / pairs if pairs else None,
            "nsp_accuracy": nsp_right / pairs if pairs else None,
            "nsp_majority": max(following, pairs - following) / pairs if pairs else None,
            "unigram_loss": self.unigram_loss,
            "predictions": predictions,
            "instances": instances,
        }


def unigram_losses(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """−log of each piece's frequency, add-one smoothed; (vocabulary,), nats."""
    losses: NDArray[np.float64] = np.log(counts.sum() + len(counts)) - np.log(counts + 1.0)
    return losses
