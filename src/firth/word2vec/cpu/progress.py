"""How far a kernel is: the loss that its tiles have gathered, and the learning rate that falls with the words read."""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from firth.word2vec.cpu.tile import TOTALS
from firth.word2vec.matrices import LANES

FLUSH = 2048
"""Tiles after which the running loss goes from float32 to float64."""


@njit
def loss_totals():
    """Room for the loss that tiles gather, float32 (`tile.TOTALS`,), at 0."""
    totals = np.zeros(TOTALS, np.float32)
    totals[:LANES] = 1.0  # running products
    return totals


@njit
def flush(totals):
    """The loss gathered in `totals`, which starts again at 0."""
    products, exponents, sums = totals[:LANES], totals[LANES : 2 * LANES].view(np.int32), totals[2 * LANES :]
    loss = 0.0
    for lane in range(LANES):
        loss += np.log(np.float64(products[lane])) + exponents[lane] * np.log(2.0) + np.float64(sums[lane])
        products[lane] = 1.0
        exponents[lane] = 0
        sums[lane] = 0.0
    return loss


@njit(forceinline=True, error_model="numpy")
def decayed(rate, floor, words, total):
    """The learning rate behind `words` of `total`, float32: max(`floor`, 1 − words / total) of `rate`."""
    return np.float32(rate * max(1.0 - np.float64(words) / np.float64(total), floor))
