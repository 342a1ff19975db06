"""Counting and joining neighbouring words in a stream of codes: the compiled half of `phrases`.

Pairs lie in an open-addressing table of `keys` (first code in the upper half, second in the lower; 0: free, as 0 is the
end of a sentence) and `values`, both a power of two long.
"""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from firth.tokens import hashing
from firth.tokens.hashing import COUNT, mixed
from firth.training.compile_cache import cached

_HALF = np.uint64(32)
_ONE = np.uint64(1)
_FREE = np.uint64(0)


@njit
def slot_of(key, keys):
    """Where `key` is or would be put."""
    mask = np.uint64(len(keys) - 1)
    slot = mixed(key) & mask
    while keys[slot] != _FREE and keys[slot] != key:
        slot = (slot + _ONE) & mask
    return slot


@njit(nogil=True)
def count_pairs(codes, position, stop, entries, least, keys, values, used):
    """Count the pairs whose second word lies from `position` to `stop`; both words must occur `least` times or more.

    Stops early when half of the `keys` are in use. Returns (next position, pairs in the table).
    """
    while position < stop:
        first = codes[position - 1] if position > 0 else 0
        second = codes[position]
        if first > 0 and second > 0 and entries[first, COUNT] >= least and entries[second, COUNT] >= least:
            if 2 * used >= len(keys):
                return position, used
            key = (np.uint64(first) << _HALF) | np.uint64(second)
            slot = slot_of(key, keys)
            if keys[slot] == _FREE:
                keys[slot] = key
                used += 1
            values[slot] += 1
        position += 1
    return position, used


@njit(nogil=True)
def enter_pairs(new_keys, new_values, keys, values):
    """Put pairs that differ from each other into an empty table with room for them."""
    for i in range(len(new_keys)):
        slot = slot_of(new_keys[i], keys)
        keys[slot] = new_keys[i]
        values[slot] = new_values[i]


@njit(nogil=True)
def join_pairs(codes, bounds, keys, values, entries, counted):
    """Replace in place, from left to right, each pair of the table by the code in `values`; a word is joined once.

    `bounds` (where documents begin, and the end) move with the text; the counts in `entries` follow if `counted`.
    """
    written = 0
    begin = bounds[0]
    for document in range(len(bounds) - 1):
        end = bounds[document + 1]
        position = begin
        bounds[document] = written
        while position < end:
            code = codes[position]
            position += 1
            if code > 0 and position < end and codes[position] > 0:
                key = (np.uint64(code) << _HALF) | np.uint64(codes[position])
                slot = slot_of(key, keys)
                if keys[slot] == key:
                    if counted:
                        entries[code, COUNT] -= 1
                        entries[codes[position], COUNT] -= 1
                        entries[values[slot], COUNT] += 1
                    code = np.int32(values[slot])
                    position += 1
            codes[written] = code
            written += 1
        begin = end
    bounds[len(bounds) - 1] = written


count_pairs = cached(count_pairs, __file__, hashing.__file__)
enter_pairs = cached(enter_pairs, __file__, hashing.__file__)
join_pairs = cached(join_pairs, __file__, hashing.__file__)
