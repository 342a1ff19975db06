"""What a training costs while it runs: tokens, arithmetic, waiting, memory, money. None of it is part of its state."""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Self, TypeVar

import torch

from firth.bert.architecture import Architecture
from firth.bert.data.shares import Counts
from firth.bert.pretraining.device import Device

T = TypeVar("T")

PEAKS: tuple[tuple[str, float, float], ...] = (
    ("GB200", 2500, 80), ("B200", 2250, 75), ("H200", 989, 67), ("GH200", 989, 67), ("H100 PCIe", 756, 51),
    ("H100 NVL", 835, 60), ("H100", 989, 67), ("H800", 989, 67), ("A100", 312, 19.5), ("A800", 312, 19.5),
    ("A30", 165, 10.3), ("A40", 149.7, 37.4), ("A10G", 70, 35), ("A10", 125, 31.2), ("L40S", 362, 91.6),
    ("L40", 181, 90.5), ("L4", 121, 30.3), ("RTX 6000 Ada", 364, 91.1), ("RTX A6000", 154.8, 38.7),
    ("RTX 5090", 209.5, 104.8), ("RTX 4090", 165.2, 82.6), ("RTX 3090", 71, 35.6),
)  # fmt: skip
"""Dense peaks in TFLOP/s as the makers publish them: part of the device's name, bf16 with float32 sums, fp32 (no TF32).

The first name that fits counts."""

MEASURED = {"cpu": 768, "cuda": 4096}
"""Rows of the square matrices whose product is timed on a device that is not in the table."""

_fastest: dict[Device, float] = {}

FORWARD_AND_BACKWARD = 3
"""The backward pass multiplies each matrix twice, where the forward pass does so once."""


@dataclass(frozen=True)
class Work:
    """Floating-point operations of the forward pass; a product of (m, k) and (k, n) takes 2 m k n.

    With L layers, hidden size H, feed-forward width I, vocabulary V:

        a token         L · 2 (4 H² + 2 H I)        the encoder's matrices
        a length n      L · 4 n² H                  scores Q Kᵀ and their product with V, of each instance by itself
        a prediction    2 (H² + H V)                the masked-word head, on predicted positions only
        an instance     2 (H² + 2 H)                pooler and next-sentence head, where they are trained

    Embeddings, LayerNorm, GELU, softmax, dropout and the optimizer are not counted, nor is what is computed of padding
    and spare tokens, nor anything that is computed twice. Left to right, half of the scores count for nothing; they
    are counted all the same.
    """

    token: int
    square: int
    prediction: int
    instance: int

    @classmethod
    def of(cls, model: Architecture, next_sentence: bool) -> Self:
        """The work of a model, with or without next-sentence prediction."""
        hidden = model.hidden
        return cls(
            token=model.layers * 2 * (4 * hidden**2 + 2 * hidden * model.intermediate),
            square=model.layers * 4 * hidden,
            prediction=2 * (hidden**2 + hidden * model.vocabulary),
            instance=2 * (hidden**2 + 2 * hidden) if next_sentence else 0,
        )

    def training(self, step: Counts) -> int:
        """Operations of the forward and the backward pass of a step: three times those of the forward pass."""
        forward = (
            self.token * step.tokens
            + self.square * step.squares
            + self.prediction * step.predictions
            + self.instance * step.instances
        )
        return FORWARD_AND_BACKWARD * forward


def known_peak(name: str, precision: Literal["fp32", "bf16"]) -> float | None:
    """FLOP/s at most of the GPU that torch calls `name`; None where it is not in the table, or a part of one."""
    if "MIG" in name:
        return None
    for part, bf16, fp32 in PEAKS:
        if re.search(rf"\b{part}\b", name):
            return 1e12 * (bf16 if precision == "bf16" else fp32)
    return None


def peak(device: Device) -> float:
    """FLOP/s at most of one device: the maker's figure, or else what a large matrix product reaches here.

    Such a product is timed at each call, and the fastest so far counts: other work may have slowed the first ones.
    """
    known = known_peak(torch.cuda.get_device_name(), device.precision) if device.kind == "cuda" else None
    if known is not None:
        return known
    _fastest[device] = max(_fastest.get(device, 0.0), measured_peak(device))
    return _fastest[device]


def measured_peak(device: Device) -> float:
    """FLOP/s of the fastest of three products of two square matrices, with torch's threads; some 10 ms in all."""
    size = MEASURED[device.kind]
    kind = torch.bfloat16 if device.precision == "bf16" else torch.float32
    matrix = torch.ones(size, size, dtype=kind, device=device.kind)
    best = float("inf")
    with torch.no_grad():
        for _ in range(4):  # the first one warms up
            started = time.perf_counter()
            matrix @ matrix
            if device.kind == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def peak_memory(device: Device) -> float:
    """Most memory so far, in GB: what torch's allocator held on the GPU, or of this process (Linux)."""
    if device.kind == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def memory_in_use(device: Device) -> str:
    """How much memory there is and is in use, in a few words."""
    if device.kind == "cuda":
        free, total = torch.cuda.mem_get_info()
        return f"{(total - free) / 1e9:.1f} of {total / 1e9:.1f} GB in use"
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"this process held {peak_memory(device):.1f} of {total / 1e9:.1f} GB"


class Meters:
    """Counts between two rows of the history, and what is shown of them.

    Args:
        work: of one model.
        device: where it trains.
        devices: how many of them share each step.
        price: of an hour of one device.
        spent: what earlier parts of the same training cost.
    """

    def __init__(self, work: Work, device: Device, devices: int, price: float, spent: float = 0.0) -> None:
        self.work, self.device, self.devices, self.price = work, device, devices, price
        self.spent, self._started = spent, time.monotonic()
        self._shown: dict[str, float] = {}
        self._clear()

    def waiting(self, items: Iterable[T]) -> Iterator[T]:
        """`items`; the time that is spent on getting each of them counts as waiting for data."""
        iterator = iter(items)
        while True:
            started = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self._waited += time.perf_counter() - started
            yield item

    def add(self, step: Counts, seconds: float) -> None:
        """Take note of a step of all devices that took `seconds`, waiting for it included."""
        self._tokens += step.tokens
        self._computed += step.computed
        self._operations += self.work.training(step)
        self._seconds += seconds

    def row(self) -> dict[str, float]:
        """Metrics of what was added since the row before.

        `train/tokens_per_second` (no padding), `train/mfu` (`Work` over the devices' peak), `train/padding` (share of
        computed tokens that nothing is learned from), `train/data_wait` (share of the time), `train/memory_gb`, and
        with a price `train/cost` of the training so far, looks and checkpoints included.
        """
        seconds = max(self._seconds, 1e-9)
        self._shown = {
            "train/tokens_per_second": self._tokens / seconds,
            "train/mfu": self._operations / seconds / (peak(self.device) * self.devices),
            "train/padding": 1.0 - self._tokens / max(self._computed, 1),
            "train/data_wait": min(1.0, self._waited / seconds),
            "train/memory_gb": peak_memory(self.device),
        }
        if self.price:
            self._shown["train/cost"] = self.cost()
        self._clear()
        return dict(self._shown)

    def cost(self, seconds: float = 0.0) -> float:
        """What the training has cost, and costs if it goes on for `seconds`."""
        elapsed = time.monotonic() - self._started + seconds
        return self.spent + self.price * self.devices * elapsed / 3600

    def note(self, left: float | None) -> str:
        """For the progress line: the newest row, and the cost; the rest is thought to take `left` seconds."""
        if not self._shown:
            return ""
        row = self._shown
        parts = [f"MFU {row['train/mfu']:.0%}", f"{row['train/memory_gb']:.1f} GB"]
        if row["train/padding"] >= 0.01:
            parts.append(f"padding {row['train/padding']:.0%}")
        if row["train/data_wait"] >= 0.01:
            parts.append(f"waits {row['train/data_wait']:.0%}")
        if self.price:
            parts.append(f"cost {self.cost():.2f}" + ("" if left is None else f" of {self.cost(left):.2f}"))
        return ", ".join(parts)

    def _clear(self) -> None:
        self._tokens = self._computed = self._operations = 0
        self._seconds = self._waited = 0.0
