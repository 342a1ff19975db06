"""How Lightning takes part in a training of several processes, which are there already and know each other.

Lightning wraps the model (DDP), or finds it shared out (FSDP), and sees to the sums of gradients; it starts no process,
makes no process group, and leaves SIGTERM alone: its own answer would broadcast from within a signal handler. Each
process is a machine with one device to it.

This module imports Lightning and is therefore imported only where training starts.
"""

from __future__ import annotations

import signal
import threading
from contextlib import nullcontext
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy

from firth.training.place import Place


class _Place(LightningEnvironment):
    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    def world_size(self) -> int:
        return self.place.count

    def global_rank(self) -> int:
        return self.place.rank

    def node_rank(self) -> int:
        return self.place.rank

    def local_rank(self) -> int:
        return 0

    def set_world_size(self, size: int) -> None:
        """Known already."""

    def set_global_rank(self, rank: int) -> None:
        """Known already."""

    def teardown(self) -> None:
        """Leave the variables of this process as they are."""


class _Whole(DDPStrategy):
    def _configure_launcher(self) -> None:
        self._launcher = None


class _Shared(ModelParallelStrategy):
    def _configure_launcher(self) -> None:
        self._launcher = None


class OwnSignals(Callback):
    """SIGTERM goes where it went before Lightning began; one that comes while Lightning begins is kept until then."""

    def __init__(self) -> None:
        self.before = signal.getsignal(signal.SIGTERM)
        self.able = threading.current_thread() is threading.main_thread()

    def on_fit_start(self, _trainer: Trainer, _module: LightningModule) -> None:
        """Lightning is about to set its own handler."""
        if self.able:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def on_train_start(self, _trainer: Trainer, _module: LightningModule) -> None:
        """It has set it."""
        if self.able:
            signal.signal(signal.SIGTERM, self.before)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def on_exception(self, trainer: Trainer, module: LightningModule, _exception: BaseException) -> None:
        """It may not have got so far."""
        self.on_train_start(trainer, module)


def joint_options(place: Place, gpu: int | None, shared_out: bool, unused: bool) -> dict[str, Any]:
    """Options of a Trainer for this process.

    Args:
        place: this process among the others.
        gpu: the number of its GPU; None: it trains on the CPU.
        shared_out: each process holds a part of the model (`parts.share_out`), not the whole.
        unused: some parameters take no part in the loss.
    """
    strategy: Strategy = _Shared() if shared_out else _Whole(find_unused_parameters=unused)
    return {
        "num_nodes": place.count,
        "devices": 1 if gpu is None else [gpu],
        "strategy": strategy,
        "plugins": [_Place(place)],
        "callbacks": [OwnSignals()],
        "use_distributed_sampler": False,
    }


def joint_backward(module: LightningModule, model: torch.nn.Module, loss: torch.Tensor, last: bool) -> None:
    """Add the gradients of `loss`; with the `last` micro batch of a step they become the sums over all processes.

    DDP and FSDP average over processes, so that the loss is made so many times larger beforehand.
    """
    strategy = module.trainer.strategy
    assert isinstance(strategy, _Whole | _Shared)
    loss = loss * strategy.world_size
    if isinstance(strategy, _Shared):
        model.set_requires_gradient_sync(last)  # type: ignore[operator]
        module.manual_backward(loss)
        return
    with nullcontext() if last else strategy.block_backward_sync():
        module.manual_backward(loss)
