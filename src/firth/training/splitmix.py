"""Counter-based random bits, splitmix64: a draw is a counter well mixed, so that chance is a pure function of a key.

`bits` and `following` are compiled into kernels; `mix` and `stream_start` are the same arithmetic in plain Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

GOLDEN = 0x9E3779B97F4A7C15
MASK = 0xFFFFFFFFFFFFFFFF

_STEP = np.uint64(GOLDEN)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


@njit
def following(state: Any) -> Any:
    """The next counter; `bits` of it are the draw."""
    return state + _STEP


@njit
def bits(state: Any) -> Any:
    """64 random bits of a counter."""
    value = (state ^ (state >> _SHIFTS[0])) * _MIX[0]
    value = (value ^ (value >> _SHIFTS[1])) * _MIX[1]
    return value ^ (value >> _SHIFTS[2])


def mix(value: int) -> int:
    """splitmix64's finaliser: 64 bits in, 64 well-mixed bits out."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def stream_start(*key: int) -> int:
    """The generator's first state for `key`, such as (seed, epoch, block, thread)."""
    state = 0
    for part in key:
        state = mix((state + GOLDEN + part) & MASK)
    return state
