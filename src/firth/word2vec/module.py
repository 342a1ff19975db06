"""word2vec under Lightning: one training step is one block of words, handed to the kernel whole.

This module imports Lightning and is therefore imported only where training starts (`train.fit`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule

from firth.training.one_pass import one_pass
from firth.word2vec.engine import Engine, Ids, Result
from firth.word2vec.schedule import Schedule, train_block

AfterStep = Callable[[int, Result], None]


class Word2VecModule(LightningModule):
    """The engine's matrices as buffers that share its memory; a batch is the number of a step of `schedule`.

    Optimisation is manual: the kernel applies each pair's gradient as it goes.
    """

    def __init__(self, engine: Engine, stream: Ids, schedule: Schedule, after_step: AfterStep) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.engine, self.stream, self.schedule, self.after_step = engine, stream, schedule, after_step
        for name, matrix in engine.state.items():
            self.register_buffer(f"{name}_vectors", torch.from_numpy(matrix))  # (rows, dim)

    def training_step(self, step: int) -> torch.Tensor:
        """Train on the block of `step`; its mean loss per example."""
        result = train_block(self.engine, self.stream, self.schedule, step)
        self.after_step(step, result)
        return torch.tensor(result.mean_loss)

    def configure_optimizers(self) -> list[Any]:
        """None: see `training_step`."""
        return []


def run_steps(module: Word2VecModule, first_step: int) -> None:
    """Run the steps of the module's schedule from `first_step`; see `one_pass`."""
    one_pass(module, range(first_step, len(module.schedule)))
