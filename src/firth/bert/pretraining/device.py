"""Where a training runs, and what makes it run the same way twice."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch

from firth.bert.data.packing import PackedBatch
from firth.config.bert import Bert
from firth.errors import ConfigError
from firth.training.place import Place
from firth.training.products import bfloat16_cost, fast_products

SLOW = 2.0
"""Times as long as in float32: from there on bfloat16 on a CPU is told to be slow."""


@dataclass(frozen=True)
class Device:
    """`cpu` or `cuda`, the precision of matrix products, and which of this machine's GPUs it is."""

    kind: Literal["cpu", "cuda"]
    precision: Literal["fp32", "bf16"]
    index: int = 0

    @classmethod
    def of(cls, settings: Bert, place: Place | None = None) -> Device:
        """What `accelerator` means on this machine, for the process in `place` (by default the only one).

        Raises:
            ConfigError: it asks for a device that is not there, or for fewer than there are processes here.
        """
        available = torch.cuda.is_available()
        if settings.accelerator == "cuda" and not available:
            raise ConfigError("bert.accelerator is cuda, but torch finds no CUDA device here; set it to cpu or auto")
        kind: Literal["cpu", "cuda"] = "cuda" if available and settings.accelerator != "cpu" else "cpu"
        say_slow_bfloat16(kind, settings.precision, "bert.precision")
        place = place or Place()
        if kind == "cpu" or place.count == 1:
            return cls(kind, settings.precision)
        gpus = torch.cuda.device_count()
        if gpus == 1 and place.address:  # whoever started the processes has left each its own GPU
            return cls(kind, settings.precision)
        if gpus < place.neighbours:
            raise ConfigError(
                f"bert.devices asks for {place.neighbours} GPUs on this machine, but torch finds {gpus} here; "
                "lower it, or set bert.accelerator to cpu"
            )
        return cls(kind, settings.precision, place.local)

    def use(self) -> None:
        """Make this GPU the calling thread's own: `cuda` is it from now on."""
        if self.index:
            torch.cuda.set_device(self.index)

    def autocast(self) -> AbstractContextManager[object]:
        """bf16 where it is asked for; weights and losses stay float32."""
        return torch.autocast(self.kind, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def pinned(self, batch: PackedBatch) -> PackedBatch:
        """`batch` in memory that a GPU copies from while it computes."""
        return batch if self.kind == "cpu" else batch.pin_memory()

    def moved(self, batch: PackedBatch) -> PackedBatch:
        """`batch` on this device."""
        return batch if self.kind == "cpu" else batch.to(self.kind)

    @contextmanager
    def reproducible(self, threads: int) -> Iterator[None]:
        """The same bytes from the same numbers within the block; torch is left as it was found.

        On CUDA operations without a deterministic form are allowed: there the bytes of two runs may differ.
        """
        before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        devices = range(torch.cuda.device_count()) if self.kind == "cuda" else []
        with fast_products(), torch.random.fork_rng(devices=devices):
            try:
                torch.set_num_threads(threads)
                torch.use_deterministic_algorithms(self.kind == "cpu")
                torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
                yield
            finally:
                torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
                torch.use_deterministic_algorithms(before[1])
                torch.set_num_threads(before[0])


@cache
def say_slow_bfloat16(kind: Literal["cpu", "cuda"], precision: Literal["fp32", "bf16"], key: str) -> None:
    """One line, once a process, where `key` asks a CPU for bf16 that has no instructions for it."""
    if kind == "cpu" and precision == "bf16" and (cost := bfloat16_cost()) > SLOW:
        print(
            f"{key} is bf16, but this CPU multiplies in it {cost:.0f} times more slowly than in fp32: set it to fp32",
            file=sys.stderr,
            flush=True,
        )
