"""Whole rows moved, added and asked for, by their addresses: what the compiled kernels do outside of tiles."""

# llvmlite and numba have no types for what builds code.
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from firth.word2vec.cpu.vector_code import load, pointer, prefetch_lines, store


@intrinsic
def copy_row(_context: Any, _source: Any, _target: Any, _chunks: Any) -> Any:
    """Copy the row at address `source` to the row at address `target`."""
    signature = types.void(types.int64, types.int64, types.int64)

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        source, target = (pointer(builder, address) for address in args[:2])
        with cgutils.for_range(builder, args[2]) as step:
            store(builder, load(builder, source, step.index), target, step.index)
        return _cg.get_dummy_value()

    return signature, codegen


@intrinsic
def add_difference(_context: Any, _row: Any, _after: Any, _before: Any, _chunks: Any) -> Any:
    """Add row `after` minus row `before` to `row`; all three are addresses."""
    signature = types.void(types.int64, types.int64, types.int64, types.int64)

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        row, after, before = (pointer(builder, address) for address in args[:3])
        with cgutils.for_range(builder, args[3]) as step:
            here, now, then = (load(builder, place, step.index) for place in (row, after, before))
            store(builder, builder.fadd(here, builder.fsub(now, then)), row, step.index)
        return _cg.get_dummy_value()

    return signature, codegen


@intrinsic
def exchange(_context: Any, _shared: Any, _own: Any, _before: Any, _chunks: Any) -> Any:
    """Add `own` minus `before` to `shared`, and make all three that sum; addresses of `chunks` · 16 floats."""
    signature = types.void(types.int64, types.int64, types.int64, types.int64)

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        places = [pointer(builder, address) for address in args[:3]]
        with cgutils.for_range(builder, args[3]) as step:
            shared, own, before = (load(builder, place, step.index) for place in places)
            now = builder.fadd(shared, builder.fsub(own, before))
            for place in places:
                store(builder, now, place, step.index)
        return _cg.get_dummy_value()

    return signature, codegen


@intrinsic
def prefetch_row(_context: Any, _row: Any, _chunks: Any) -> Any:
    """Ask for the row at address `row` ahead of its use; one cache line a chunk."""
    signature = types.void(types.int64, types.int64)

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        with cgutils.for_range(builder, args[1]) as step:
            prefetch_lines(builder, [pointer(builder, args[0])], step.index)
        return _cg.get_dummy_value()

    return signature, codegen
