"""A vector made of many rows, and what it has learnt given back to them, as LLVM vector code.

    mean_to     vector = Σ weight_i · row_i / Σ weight_i, and a copy of it as it was
    give_gain   row_i += vector − copy, one row after the other: a row that stands twice gets it twice

Eight vectors of 16 floats are in registers at a time while the rows go by, so that a row is read in runs of 512 bytes.
"""

# llvmlite and numba have no types for what builds code.
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from firth.word2vec.cpu.vector_code import (
    FLOAT,
    LONG,
    constant,
    fused,
    load,
    loop_with_sums,
    pointer,
    row_at,
    splat,
    store,
)

GROUP = 8
"""Vectors of 16 floats that are worked on together."""


@intrinsic(prefer_literal=True)
def mean_to(
    _context: Any, _vector: Any, _copy: Any, _rows: Any, _weights: Any, _count: Any, _total: Any, chunks: Any
) -> Any:
    """Write the weighted mean of `count` >= 1 rows to the rows at `vector` and `copy`.

    Args (addresses and integers are int64):
        vector, copy: addresses of rows of `chunks` · 16 floats.
        rows: address of `count` row addresses; any of them may be the same.
        weights: address of their `count` weights, float32.
        total: float32 sum of the weights.
        chunks: literal.
    """
    if not isinstance(chunks, types.IntegerLiteral):
        return None
    whole = types.int64
    signature = types.void(whole, whole, whole, whole, whole, types.float32, chunks)
    steps = chunks.literal_value

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        vector, copy = (pointer(builder, address) for address in args[:2])
        rows, count = args[2], args[4]
        weights = builder.inttoptr(args[3], FLOAT.as_pointer())
        share = splat(builder, builder.fdiv(ir.Constant(FLOAT, 1.0), args[5]))
        for group in _groups(steps):

            def add(item: Any, sums: list[Any], group: list[Any] = group) -> list[Any]:
                row, weight = row_at(builder, rows, item), splat(builder, builder.load(builder.gep(weights, [item])))
                return [fused(builder, weight, load(builder, row, c), one) for c, one in zip(group, sums, strict=True)]

            for c, one in zip(group, loop_with_sums(builder, count, [constant(0.0)] * len(group), add), strict=True):
                mean = builder.fmul(one, share)
                store(builder, mean, vector, c)
                store(builder, mean, copy, c)
        return _cg.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def give_gain(_context: Any, _vector: Any, _copy: Any, _rows: Any, _count: Any, chunks: Any) -> Any:
    """Add row `vector` minus row `copy` to each of `count` rows; the arguments are those of `mean_to`."""
    if not isinstance(chunks, types.IntegerLiteral):
        return None
    signature = types.void(types.int64, types.int64, types.int64, types.int64, chunks)
    steps = chunks.literal_value

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        vector, copy = (pointer(builder, address) for address in args[:2])
        for group in _groups(steps):
            gains = [builder.fsub(load(builder, vector, c), load(builder, copy, c)) for c in group]
            with cgutils.for_range(builder, args[3]) as item:
                row = row_at(builder, args[2], item.index)
                for c, gain in zip(group, gains, strict=True):
                    store(builder, builder.fadd(load(builder, row, c), gain), row, c)
        return _cg.get_dummy_value()

    return signature, codegen


def _groups(steps: int) -> Iterator[list[Any]]:
    for first in range(0, steps, GROUP):
        yield [ir.Constant(LONG, c) for c in range(first, min(first + GROUP, steps))]
