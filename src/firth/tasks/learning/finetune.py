"""Fine-tuning: the encoder and a linear head trained together (section 4 of the paper).

Of what makes pretraining fast, this is done here, too:

- sequences one behind the other, without padding (`firth.bert.attention`), on a GPU in bf16 with flash attention;
- on a CPU float32 products by the faster library (`firth.training.products`) and dropout of our own
  (`firth.bert.dropout`);
- fused AdamW;
- a GPU (`evaluation.accelerator`) and bf16 autocast (`evaluation.precision`).

Of the rest nothing is: no compiled code (each batch has another shape), no micro batches, no second process.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from firth.bert.model import Encoder as Model
from firth.bert.pretraining.device import Device
from firth.config.usages import Finetuning
from firth.progress import Meter
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Floats, Reading
from firth.tasks.encoders.sequences import tokens_of
from firth.tasks.learning.batches import shuffled
from firth.tasks.learning.descent import Descent, Group
from firth.tasks.learning.heads import Targets, new_head

CLIP = 1.0
"""Largest norm of a gradient."""


@dataclass(frozen=True, eq=False)
class Finetuned:
    """A trained copy of an encoder with its head."""

    encoder: BertEncoder
    model: Model
    head: nn.Linear

    def logits(self, reading: Reading) -> Floats:
        """(rows, columns) of the reading's rows."""
        return self.encoder.features_of(self.model, reading, self.head)


AfterEpoch = Callable[[Finetuned, int], bool]
"""Told the model, in eval mode meanwhile, and how many epochs are done; True ends the training."""


def finetune(
    encoder: BertEncoder,
    reading: Reading,
    targets: Targets,
    settings: Finetuning,
    seed: int,
    after_epoch: AfterEpoch | None = None,
    rate_from: str = "evaluation.finetuning.learning_rate",
    start: nn.Linear | None = None,
) -> Finetuned:
    """Train a copy of the encoder, on its device; the one that is given stays as it is.

    On a CPU the same seed gives the same weights, on the same number of threads. On a GPU it gives the same first head,
    batches and draws of dropout; sums of gradients have no fixed order there, so last digits of two trainings may
    differ, and scores with them.

    AdamW with decay on matrices only, warm-up and linear decay, gradients clipped to norm 1, the model's own dropout.
    What `after_epoch` draws at random changes nothing of the training. `rate_from` is the parameter that a message
    names as the one that the learning rate came from. The head begins as `start`, which stays as it is, or a new one.

    Raises:
        DivergedError: the loss or its gradient is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(encoder.bert.model.encoder)
    dropout = nn.Dropout(encoder.bert.model.architecture.dropout)
    head = new_head(encoder.width, targets.columns, generator)  # drawn in any case: batches are to be the same ones
    if start is not None:
        head.load_state_dict(start.state_dict())
    head.to(encoder.device.kind)
    parameters = [*model.parameters(), *head.parameters()]
    groups = [
        Group([p for p in parameters if p.dim() > 1], settings.learning_rate, settings.weight_decay, rate_from),
        Group([p for p in parameters if p.dim() == 1], settings.learning_rate, 0.0, rate_from),
    ]
    steps = settings.epochs * -(-len(targets.usable) // settings.batch)
    title = f"{encoder.title}: fine-tuning"
    descent = Descent(groups, steps, title, warmup=round(steps * settings.warmup), clip=CLIP)
    finetuned = Finetuned(encoder, model, head)
    sizes = np.array([tokens_of(one) for one in reading.inputs], np.int64)
    with _chance(encoder.device), Meter(title, steps, "steps") as meter:
        torch.manual_seed(seed)  # dropout draws from torch's own generator
        for epoch in range(1, settings.epochs + 1):
            model.train()
            for batch in shuffled(targets.usable, sizes, settings.batch, generator):
                rows = encoder.forward(model, [reading.inputs[number] for number in batch], packed=True)
                loss = descent.step(targets.loss(head(dropout(rows)), batch, reading))
                meter.advance(1, f"loss {loss:.3f}")
            model.eval()
            if after_epoch is not None and _told(after_epoch, finetuned, epoch):
                break
    return finetuned


def _told(after_epoch: AfterEpoch, finetuned: Finetuned, epoch: int) -> bool:
    with _chance(finetuned.encoder.device):
        return after_epoch(finetuned, epoch)


def _chance(device: Device) -> AbstractContextManager[None]:
    """What is drawn within the block, on the CPU or on `device`, changes no draw behind it."""
    return torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.kind == "cuda" else [])
