"""word2vec under Lightning: one training step is one block of words, handed to the kernel whole.

This module imports Lightning and is therefore imported only where training starts (`train.fit`).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from firth.word2vec.engine import Engine, Ids, Result
from firth.word2vec.schedule import Schedule

AfterStep = Callable[[int, Result], None]


class Word2VecModule(LightningModule):
    """Both matrices as buffers that share the engine's memory; a batch is the number of a step of `schedule`.

    Optimisation is manual: the kernel applies each pair's gradient as it goes.
    """

    def __init__(self, engine: Engine, stream: Ids, schedule: Schedule, after_step: AfterStep) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.engine, self.stream, self.schedule, self.after_step = engine, stream, schedule, after_step
        for name, matrix in engine.matrices.items():
            self.register_buffer(f"{name}_vectors", torch.from_numpy(matrix))  # (vocabulary, dim)

    def training_step(self, step: int) -> torch.Tensor:
        """Train on the block of `step`; its mean loss per example."""
        epoch, index, block = self.schedule.at(step)
        result = self.engine.train(
            self.stream, block.start, block.stop, (epoch, index), self.schedule.seen_before(step),
            self.schedule.total_words,
        )  # fmt: skip
        self.after_step(step, result)
        return torch.tensor(result.mean_loss)

    def configure_optimizers(self) -> list[Any]:
        """None: see `training_step`."""
        return []


def run_steps(module: Word2VecModule, first_step: int) -> None:
    """Run the steps of the module's schedule from `first_step` in one pass of a quiet Trainer.

    Returns at the end of the schedule, or after the step in which SIGTERM came: Lightning's own answer to that signal
    would end the process with exit code 0.
    """
    with _quiet(), suppress(SIGTERMException):
        trainer = Trainer(
            max_epochs=1,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, train_dataloaders=range(first_step, len(module.schedule)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's notes about devices and tips: nothing in them concerns a run on one CPU."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Lightning 2.6 calls what torch 2.13 has renamed.
            warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)` is deprecated", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
