"""Fine-tuning: the encoder and a linear head trained together (section 4 of the paper)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from firth.bert.model import Encoder as Model
from firth.config.usages import Finetuning
from firth.errors import FirthError
from firth.progress import Meter
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Floats, Reading
from firth.tasks.encoders.sequences import tokens_of
from firth.tasks.learning.heads import Targets, new_head

POOL = 16
"""Batches among which examples are sorted by length, so that few tokens are padding."""
CLIP = 1.0


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
) -> Finetuned:
    """Train a copy of the encoder; the one that is given stays as it is. The same seed gives the same weights.

    AdamW with decay on matrices only, warm-up and linear decay, gradients clipped to norm 1, the model's own dropout.
    What `after_epoch` draws at random changes nothing of the training.

    Raises:
        FirthError: the loss is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(encoder.bert.model.encoder)
    dropout = nn.Dropout(encoder.bert.model.architecture.dropout)
    head = new_head(encoder.width, targets.columns, generator)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        fused=True,
    )
    steps = settings.epochs * -(-len(targets.usable) // settings.batch)
    warmup = round(steps * settings.warmup)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (step + 1) / warmup if step < warmup else (steps - step) / max(1, steps - warmup)
    )
    finetuned = Finetuned(encoder, model, head)
    with torch.random.fork_rng(devices=[]), Meter(f"{encoder.title}: fine-tuning", steps, "steps") as meter:
        torch.manual_seed(seed)  # dropout draws from torch's own generator
        for epoch in range(1, settings.epochs + 1):
            model.train()
            for batch in _batches(reading, targets, settings.batch, generator):
                optimizer.zero_grad()
                rows = encoder.forward(model, [reading.inputs[number] for number in batch], packed=True)
                loss = targets.loss(head(dropout(rows)), batch, reading)
                if not torch.isfinite(loss):
                    raise FirthError(
                        f"fine-tuning diverged at step {meter.done + 1:.0f}: the loss is {loss.item()}; "
                        f"lower evaluation.finetuning.learning_rate (now {settings.learning_rate})"
                    )
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(parameters, CLIP)
                optimizer.step()
                schedule.step()
                meter.advance(1, f"loss {loss.item():.3f}")
            model.eval()
            if after_epoch is not None and _told(after_epoch, finetuned, epoch):
                break
    return finetuned


def _told(after_epoch: AfterEpoch, finetuned: Finetuned, epoch: int) -> bool:
    with torch.random.fork_rng(devices=[]):
        return after_epoch(finetuned, epoch)


def _batches(reading: Reading, targets: Targets, size: int, generator: torch.Generator) -> Iterator[list[int]]:
    """All usable examples once, in shuffled batches of like length."""
    order = targets.usable[torch.randperm(len(targets.usable), generator=generator).numpy()].tolist()
    batches: list[list[int]] = []
    for start in range(0, len(order), size * POOL):
        pool = sorted(order[start : start + size * POOL], key=lambda number: -tokens_of(reading.inputs[number]))
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    for number in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[number]
