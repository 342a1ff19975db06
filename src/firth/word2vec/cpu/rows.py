"""The rows that a tile works on: their addresses, and private copies of a row that is there twice."""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

from numba import njit

from firth.word2vec.cpu.row_code import add_difference, copy_row
from firth.word2vec.matrices import ALIGNMENT


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
