"""Where a training runs, and what makes it run the same way twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from firth.bert.packing import PackedBatch
from firth.config.bert import Bert
from firth.errors import ConfigError
from firth.training.products import fast_products


@dataclass(frozen=True)
class Device:
    """`cpu` or `cuda`, and the precision of matrix products."""

    kind: Literal["cpu", "cuda"]
    precision: Literal["fp32", "bf16"]

    @classmethod
    def of(cls, settings: Bert) -> Device:
        """What `accelerator` means on this machine; `ConfigError` where it asks for what is not there."""
        available = torch.cuda.is_available()
        if settings.accelerator == "cuda" and not available:
            raise ConfigError("bert.accelerator is cuda, but torch finds no CUDA device here; set it to cpu or auto")
        return cls("cuda" if available and settings.accelerator != "cpu" else "cpu", settings.precision)

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
