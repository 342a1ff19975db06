"""The rows that a tile works on: addresses, private copies of a row that is there twice, and the loss so far."""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from firth.word2vec.cpu.row_code import add_difference, copy_row
from firth.word2vec.matrices import ALIGNMENT, LANES


@njit
def has_repeat(words, count):
    """Whether two of the first `count` words, or addresses of rows, are the same."""
    for j in range(1, count):
        for i in range(j):
            if words[i] == words[j]:
                return True
    return False


@njit(forceinline=True)
def row_of(word, own, own_base, base, row_bytes):
    """Address of the word's row: in the thread's own copies of the first `own` rows, else in the matrix at `base`."""
    return (own_base if word < own else base) + word * row_bytes


@njit
def separate(rows, count, copies, chunks):
    """Give each repeated row address a private copy; `copies` has 2 rows for each of `count`: now and before."""
    row_bytes = chunks * ALIGNMENT
    for j in range(1, count):
        for i in range(j):
            if rows[count + i] == rows[j]:
                break
        else:
            rows[count + j] = rows[j]
            continue
        rows[count + j] = rows[j]
        own = copies + 2 * j * row_bytes
        copy_row(rows[j], own, chunks)
        copy_row(rows[j], own + row_bytes, chunks)
        rows[j] = own


@njit
def merge(rows, count, copies, chunks):
    """Add to each repeated row what its private copy has gained, and restore the address."""
    row_bytes = chunks * ALIGNMENT
    for j in range(1, count):
        if rows[j] != rows[count + j]:
            own = copies + 2 * j * row_bytes
            rows[j] = rows[count + j]
            add_difference(rows[j], own, own + row_bytes, chunks)


@njit
def flush(products, exponents, sums):
    """The loss gathered by tiles (see `tile.TOTALS`), which starts again at 0."""
    loss = 0.0
    for lane in range(LANES):
        loss += np.log(np.float64(products[lane])) + exponents[lane] * np.log(2.0) + np.float64(sums[lane])
        products[lane] = 1.0
        exponents[lane] = 0
        sums[lane] = 0.0
    return loss
