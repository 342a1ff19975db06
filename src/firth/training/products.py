"""Products of float32 matrices on CPUs, by the faster of torch's two libraries.

torch multiplies float32 matrices by MKL, which on CPUs of other makers runs at half their speed or less; oneDNN, which
comes with torch too, does not. The only switch that hands float32 products over to it is the one that also *permits*
it to round their factors to bfloat16. On a CPU without instructions that would make use of this permission it computes
in float32, to the last digits; elsewhere MKL stays. Which of the two it is, is tried once in each process.

Measured on a Zen 5 core: 102 GFLOP/s by MKL, 203 to 242 by oneDNN (products of 4096 x 256 by 256 x 1024 and their
gradients), with errors of 6e-5 against 3e-5 at values of 16.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

MAKER = "GenuineIntel"
"""Of the CPUs that MKL is fast on."""

TOLERANCE = 1e-5
"""Largest relative error of a product in float32; one with factors rounded to bfloat16 has 1e-3."""


@contextmanager
def fast_products() -> Iterator[None]:
    """Within the block, float32 products on the CPU are as fast as torch can do them, and no less exact."""
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    try:
        if by_onednn():
            settings.fp32_precision = "bf16"
        yield
    finally:
        settings.fp32_precision = before


@cache
def by_onednn() -> bool:
    """Whether oneDNN takes over here: another maker's CPU, on which it computes in float32."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(available) and _maker() != MAKER and _is_exact()


@cache
def bfloat16_cost() -> float:
    """How many times as long as in float32 a product takes in bfloat16 on this CPU, tried once in each process.

    Measured: 0.4 on a CPU with instructions for it (AVX-512 BF16), 80 on one without (AVX2).
    """
    return _seconds_of_product(torch.bfloat16) / _seconds_of_product(torch.float32)


def has_bfloat16() -> bool:
    """Whether this CPU has instructions that oneDNN takes for bfloat16; the same answer each time, unlike a clock's."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _seconds_of_product(kind: torch.dtype, times: int = 3) -> float:
    a, b = (torch.full((256, 256), 0.5, dtype=kind) for _ in range(2))
    took = []
    for _ in range(times):
        started = time.perf_counter()
        a @ b
        took.append(time.perf_counter() - started)
    return min(took)


def _maker() -> str:
    """The CPU's maker; where that is not to be known, as if MKL were fast."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return MAKER
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")), MAKER)


def _is_exact() -> bool:
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(256, 256, generator=generator) for _ in range(2))
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    try:
        settings.fp32_precision = "bf16"
        found = (a @ b).double()
    finally:
        settings.fp32_precision = before
    exact = a.double() @ b.double()
    return bool((found - exact).abs().max() < TOLERANCE * exact.abs().max())
