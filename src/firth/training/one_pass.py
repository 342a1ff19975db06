"""One quiet pass of a Lightning Trainer over the steps of a training that keeps its own checkpoints and progress.

This module imports Lightning and is therefore imported only where training starts.
"""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException


def one_pass(
    module: LightningModule,
    steps: Iterable[Any],
    accelerator: str = "cpu",
    options: Mapping[str, Any] | None = None,
) -> None:
    """Hand each of `steps` to the module's `training_step`, on one device, or as `options` of the Trainer say.

    Returns at the end of `steps`, or after the step in which SIGTERM came: Lightning's own answer to that signal would
    end the process with exit code 0. Ctrl-C is raised as KeyboardInterrupt, which Lightning makes an exit of.
    """
    interrupt = signal.getsignal(signal.SIGINT)
    with _quiet(), suppress(SIGTERMException):
        trainer = Trainer(
            max_epochs=1,
            accelerator=accelerator,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **(options or {"devices": 1}),
        )
        try:
            trainer.fit(module, train_dataloaders=steps)
        except SystemExit as left:
            if not isinstance(left.__context__, KeyboardInterrupt):
                raise
            signal.signal(signal.SIGINT, interrupt)
            raise KeyboardInterrupt from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's notes about devices and tips: nothing in them concerns a run on one device."""
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
