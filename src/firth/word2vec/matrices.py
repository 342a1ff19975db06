"""Matrices whose rows start at multiples of 64 bytes and are padded with zeros to a multiple of 16 floats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
"""Bytes; where each row starts."""

LANES = 16
"""Floats in a vector of the CPU's; rows are padded to a multiple of it."""

Floats = NDArray[np.float32]


def chunks_of(dim: int) -> int:
    """Vectors of 16 floats in a row of `dim`."""
    return -(-dim // LANES)


def aligned(rows: int, dim: int) -> Floats:
    """Zeros of shape (rows, `chunks_of(dim)` * 16), aligned; columns from `dim` on are the padding."""
    width = chunks_of(dim) * LANES
    buffer = np.zeros(rows * width + ALIGNMENT // 4, dtype=np.float32)
    offset = (-buffer.ctypes.data % ALIGNMENT) // 4
    return buffer[offset : offset + rows * width].reshape(rows, width)


def check_aligned(matrix: Floats, rows: int, chunks: int, name: str) -> None:
    """Refuse what a kernel that works on raw addresses must not see."""
    fits = matrix.shape == (rows, chunks * LANES) and matrix.dtype == np.float32 and matrix.flags.c_contiguous
    if not (fits and matrix.flags.writeable and matrix.ctypes.data % ALIGNMENT == 0):
        raise ValueError(f"{name}: a kernel wants aligned, writable float32 rows of shape ({rows}, {chunks * LANES})")


def initial_input(rows: int, dim: int, seed: int) -> Floats:
    """Input vectors before training: uniform in (−0.5, 0.5) / dim, as in the word2vec toolkit."""
    matrix = aligned(rows, dim)
    matrix[:, :dim] = (np.random.default_rng(seed).random((rows, dim), dtype=np.float32) - np.float32(0.5)) / dim
    return matrix
