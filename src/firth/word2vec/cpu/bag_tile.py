"""The CBOW tile: the mean of a bag of contexts against a few output words, as LLVM vector code.

The same four steps as in `tile`, with one row of pairs, and the mean and its gradient kept in registers on the way:

                     contexts (rows of W)                outputs (rows of C)
                 ┌───────┬───────┬───────┐          positive  noise  noise  …
    1. dot       │ load  │ load  │   …   │── mean ──▶ dot    dot    dot       per step of 16 dimensions
                 └───────┴───────┴───────┘
    2., 3.       transpose, sigmoid: g_j = (label_j − σ(x_j)) · learning rate
                 ┌───────┬───────┬───────┐
    4. update    │ add e │ add e │   …   │◀─ e = Σ_j g_j · output_j       output_j += g_j · mean
                 └───────┴───────┴───────┘

Every row is thus read twice and written once. Each context gets the whole gradient of the mean, as in the toolkit; the
contexts of a step are changed one after the other, so that a word which stands twice in the window gets it twice. The
outputs must be distinct (`rows.separate`).

Step 1 also asks for the rows of the next centre, one cache line of each in every step: asked for all at once they
would fill the queue of cache misses, and the CPU would wait.
"""

# llvmlite and numba have no types for what builds code.
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from firth.word2vec.cpu.tile import gradients_of
from firth.word2vec.cpu.vector_code import (
    FLOAT,
    LONG,
    constant,
    fused,
    load,
    loop_with_sums,
    pointer,
    prefetch_lines,
    row_at,
    splat,
    store,
    sum_lanes,
)
from firth.word2vec.matrices import LANES


@intrinsic(prefer_literal=True)
def bag_tile(
    _context: Any, _contexts: Any, _count: Any, _outputs: Any, _ahead: Any, _mean: Any, _rate: Any, _totals: Any,
    columns: Any, chunks: Any,
) -> Any:  # fmt: skip
    """One step of the mean of `count` contexts against `columns` outputs (the first is the positive).

    Args (all integers are int64):
        contexts: address of `count` row addresses; any of them may be the same.
        outputs: address of `columns` row addresses, all distinct.
        ahead: address of `columns` + 1 addresses of rows that are wanted soon.
        mean: address of a row of scratch memory.
        rate: float32 learning rate; 0 leaves every row as it is.
        totals: address of the loss so far, see `tile.TOTALS`.
        columns, chunks: literals; a new tile is compiled for each combination.
    """
    if not all(isinstance(size, types.IntegerLiteral) for size in (columns, chunks)):
        return None
    whole = types.int64
    signature = types.void(whole, whole, whole, whole, whole, types.float32, whole, columns, chunks)
    width, steps = columns.literal_value, chunks.literal_value

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        contexts, count, outputs_at, ahead, mean_at, rate, totals = args[:7]
        share = splat(builder, builder.fdiv(ir.Constant(FLOAT, 1.0), builder.sitofp(count, FLOAT)))
        outputs = [row_at(builder, outputs_at, j) for j in range(width)]
        coming = [row_at(builder, ahead, i) for i in range(width + 1)]
        mean = pointer(builder, mean_at)

        def dots(step: Any, sums: list[Any]) -> list[Any]:
            prefetch_lines(builder, coming, step)
            centre = builder.fmul(_sum(builder, contexts, count, step), share)
            store(builder, centre, mean, step)
            return [
                fused(builder, centre, load(builder, row, step), one) for row, one in zip(outputs, sums, strict=True)
            ]

        sums = loop_with_sums(builder, steps, [constant(0.0)] * width, dots)
        gradients: list[Any] = []
        for first in range(0, width, LANES):
            group = sums[first : first + LANES]
            labels = [1.0 if first + i == 0 else 0.0 for i in range(len(group))]
            gradients += gradients_of(builder, sum_lanes(builder, group), labels, rate, totals)
        with cgutils.for_range(builder, ir.Constant(LONG, steps)) as loop:
            centre = load(builder, mean, loop.index)
            change = constant(0.0)
            for row, gradient in zip(outputs, gradients, strict=True):
                output = load(builder, row, loop.index)
                change = fused(builder, gradient, output, change)
                store(builder, fused(builder, gradient, centre, output), row, loop.index)
            with cgutils.for_range(builder, count) as item:
                row = row_at(builder, contexts, item.index)
                store(builder, builder.fadd(load(builder, row, loop.index), change), row, loop.index)
        return _cg.get_dummy_value()

    return signature, codegen


def _sum(builder: Any, contexts: Any, count: Any, step: Any) -> Any:
    """The sum over `count` >= 1 contexts of their dimensions of `step`."""

    def add(item: Any, total: list[Any]) -> list[Any]:
        return [builder.fadd(total[0], load(builder, row_at(builder, contexts, item), step))]

    return loop_with_sums(builder, count, [constant(0.0)], add)[0]
