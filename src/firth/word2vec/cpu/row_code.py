"""Whole rows moved, added and asked for, by their addresses: what the compiled kernels do outside of tiles."""

# llvmlite and numba have no types for what builds code.
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from firth.word2vec.cpu.vector_code import load, pointer, prefetch_lines, store

Work = Callable[[Any, list[Any], Any], None]
"""Writes the code for 16 floats of each row, with (builder, pointers to the rows, which 16)."""


@intrinsic
def copy_row(_context: Any, _source: Any, _target: Any, _chunks: Any) -> Any:
    """Copy the row at address `source` to the row at address `target`."""

    def work(builder: Any, rows: list[Any], step: Any) -> None:
        source, target = rows
        store(builder, load(builder, source, step), target, step)

    return _along(2, work)


@intrinsic
def add_row(_context: Any, _target: Any, _source: Any, _chunks: Any) -> Any:
    """Add the row at address `source` to the row at address `target`."""

    def work(builder: Any, rows: list[Any], step: Any) -> None:
        here, there = (load(builder, row, step) for row in rows)
        store(builder, builder.fadd(here, there), rows[0], step)

    return _along(2, work)


@intrinsic
def add_difference(_context: Any, _row: Any, _after: Any, _before: Any, _chunks: Any) -> Any:
    """Add row `after` minus row `before` to `row`; all three are addresses."""

    def work(builder: Any, rows: list[Any], step: Any) -> None:
        here, now, then = (load(builder, row, step) for row in rows)
        store(builder, builder.fadd(here, builder.fsub(now, then)), rows[0], step)

    return _along(3, work)


@intrinsic
def exchange(_context: Any, _shared: Any, _own: Any, _before: Any, _chunks: Any) -> Any:
    """Add `own` minus `before` to `shared`, and make all three that sum; addresses of `chunks` · 16 floats."""

    def work(builder: Any, rows: list[Any], step: Any) -> None:
        shared, own, before = (load(builder, row, step) for row in rows)
        now = builder.fadd(shared, builder.fsub(own, before))
        for row in rows:
            store(builder, now, row, step)

    return _along(3, work)


@intrinsic
def prefetch_row(_context: Any, _row: Any, _chunks: Any) -> Any:
    """Ask for the row at address `row` ahead of its use; one cache line a chunk."""
    return _along(1, prefetch_lines)


def _along(rows: int, work: Work) -> tuple[Any, Any]:
    """What an intrinsic returns that takes so many addresses and a number of chunks: `work` from chunk to chunk."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        pointers = [pointer(builder, address) for address in args[:rows]]
        with cgutils.for_range(builder, args[rows]) as loop:
            work(builder, pointers, loop.index)
        return context.get_dummy_value()

    return types.void(*[types.int64] * (rows + 1)), codegen
