"""BERT's pretraining under Lightning: one training step is one update, from as many micro batches as it takes.

This module imports Lightning and is therefore imported only where training starts (`train`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule

from firth.bert.data.packing import PackedBatch
from firth.bert.data.plan import DROPOUT
from firth.bert.data.steps import Step
from firth.bert.model import Pretraining
from firth.bert.optimizers.optimizer import clip, set_rate
from firth.bert.optimizers.spikes import Spikes
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.joint import counted, is_shared_out
from firth.bert.pretraining.losses import pretraining_losses
from firth.config.bert import Bert
from firth.errors import FirthError
from firth.training.joint_pass import joint_backward, joint_options
from firth.training.one_pass import one_pass
from firth.training.processes import Processes
from firth.training.splitmix import stream_start


class Losses(NamedTuple):
    """Of one update: sums in nats, and over how many predicted tokens and pairs; the norm of the gradient."""

    mlm: float
    predictions: int
    nsp: float
    pairs: int
    norm: float


Rate = Callable[[int], float]
"""The learning rate of a step, counted from 0."""

AfterStep = Callable[[Step, Losses], None]

Over = Callable[[], bool]
"""Whether the training has ended: a step that was made ahead is then not taken any more."""


class BertModule(LightningModule):
    """The loss of section 3.1: the mean over all predicted tokens plus the mean over all pairs of a step.

    Optimisation is manual, so that micro batches of unequal size weigh what they should. Dropout of a micro batch is
    a pure function of (seed, step, its number): a training that goes on needs no saved generator.
    """

    def __init__(
        self,
        model: Pretraining,
        optimizer: torch.optim.Optimizer,
        settings: Bert,
        device: Device,
        rate: Rate,
        spikes: Spikes,
        after: AfterStep,
        over: Over,
        processes: Processes | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model, self.settings, self.where, self.rate = model, settings, device, rate
        self.spikes, self.after_step, self.over = spikes, after, over
        self.updates, self.processes = optimizer, processes or Processes()
        self.forward_pass = torch.compile(model.packed) if settings.compile else model.packed

    def training_step(self, step: Step) -> torch.Tensor | None:
        """Update the weights from `step`; its loss, or None where the training has ended before it.

        A spike's update is left out: weights and moments stay as they are.

        Raises:
            FirthError: a loss or a gradient is not finite; the weights are as before.
        """
        if self.over():
            return None
        step = counted(step, self.processes)
        predictions, pairs = step.predictions, step.instances
        self.updates.zero_grad()
        sums = torch.zeros(2, dtype=torch.float64, device=self.where.kind)
        parts = []
        for number, batch in zip(step.numbers, step.batches, strict=True):
            torch.manual_seed(stream_start(self.settings.seed, DROPOUT, step.number, max(number, 0)) >> 1)
            mlm, nsp = self.losses(batch)
            self._backward(mlm / predictions + nsp / pairs, batch is step.batches[-1])
            parts.append(torch.stack((mlm, nsp)).detach())
            sums += parts[-1]
        norm = clip(self.model, self.settings.optimizer.clip)
        *own, size = torch.stack((*sums, norm.double())).tolist()
        mlm_sum, nsp_sum = self.processes.sum(own)
        loss = mlm_sum / predictions + nsp_sum / pairs
        for what, value in (("loss", loss), ("gradient's norm", size)):
            if not abs(value) < float("inf"):
                error = FirthError(
                    f"bert: the {what} is {value} at {step.name}{_culprit(step, parts)}; lower "
                    f"bert.optimizer.learning_rate ({self.settings.optimizer.learning_rate}) or lengthen the warm-up "
                    f"({self.settings.optimizer.warmup_steps} steps); the last checkpoint is kept"
                )
                raise self.processes.told_once(error)
        set_rate(self.updates, self.rate(step.number))
        if not self.spikes.is_spike(size):
            self.updates.step()
        self.after_step(step, Losses(mlm_sum, predictions, nsp_sum, pairs if self.settings.next_sentence else 0, size))
        return torch.tensor(loss)

    def _backward(self, loss: torch.Tensor, last: bool) -> None:
        if self.processes.count == 1:
            loss.backward()  # type: ignore[no-untyped-call]
        else:
            joint_backward(self, self.model, loss, last)

    def losses(self, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed over the batch: of masked words and of next sentences (0 where there are none)."""
        with self.where.autocast():
            logits = self.forward_pass(batch.ids, batch.segments, batch.layout, batch.predicted)
        return pretraining_losses(logits, batch)

    def transfer_batch_to_device(self, batch: Step, _device: torch.device, _dataloader_idx: int) -> Step:
        """The step with its batches on the device."""
        return batch._replace(batches=[self.where.moved(part) for part in batch.batches])

    def configure_model(self) -> None:
        """Nothing: where the model is shared out, that was done before its optimizer was made."""

    def configure_optimizers(self) -> list[Any]:
        """None: see `training_step`."""
        return []


def _culprit(step: Step, parts: list[torch.Tensor]) -> str:
    """The first of this process's micro batches whose losses, `parts`, are not finite; nothing where all are."""
    bad = [number for number, part in zip(step.numbers, parts, strict=True) if not part.isfinite().all()]
    return f", in micro batch {bad[0] + 1}" if bad else ""


def run_steps(module: BertModule, steps: Iterable[Step]) -> None:
    """Run `steps`; see `one_pass`."""
    settings, place = module.settings, module.processes.place
    options = None
    if place.count > 1:
        gpu = module.where.index if module.where.kind == "cuda" else None
        options = joint_options(place, gpu, is_shared_out(settings), unused=not settings.next_sentence)
    one_pass(module, steps, module.where.kind, options)
