"""The compiled part of dropout on CPUs; imported in training only, so that a server of models needs no compiler."""

# The kernel is compiled: numba knows its types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from firth.training import splitmix
from firth.training.compile_cache import cached
from firth.training.splitmix import bits

TOGETHER = 4
"""Numbers from one 64-bit draw."""

RESOLUTION = 1 << 16
"""The probability is a multiple of 1 / this."""

_GOLDEN = np.uint64(splitmix.GOLDEN)


@njit(nogil=True, error_model="numpy")
def drop(values, start, key, threshold, scale, out):
    """Write values · scale to `out`, 0 where the number of a place, counted from `start`, is below `threshold`."""
    low = np.uint64(RESOLUTION - 1)
    blocks = len(values) // TOGETHER
    first = np.uint64(start // TOGETHER)
    for block in range(blocks):
        drawn = bits(key + (first + np.uint64(block)) * _GOLDEN)
        at = block * TOGETHER
        for j in range(TOGETHER):
            kept = (drawn >> np.uint64(16 * j)) & low >= threshold
            out[at + j] = values[at + j] * scale if kept else np.float32(0.0)
    drawn = bits(key + (first + np.uint64(blocks)) * _GOLDEN)
    for at in range(blocks * TOGETHER, len(values)):
        kept = (drawn >> np.uint64(16 * (at - blocks * TOGETHER))) & low >= threshold
        out[at] = values[at] * scale if kept else np.float32(0.0)


drop = cached(drop, __file__, splitmix.__file__)
