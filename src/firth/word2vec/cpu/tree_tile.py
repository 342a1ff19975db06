"""The tile of hierarchical softmax: one or two contexts against a few nodes of a way, as LLVM vector code.

The steps are those of `tile`. What differs:

- Labels are known only at run time. A turn with code 1 has the probability σ(−x): with s = 1 − 2 · code every turn is
  "yes" for s · x, so that the tile multiplies the scores by s, asks for label 1, and multiplies the gradients by s.
- A way is longer than a tile, and its step must be taken from the values before it. What the contexts gain is
  therefore added to rows of their own, which the caller adds to the contexts after the last tile. The nodes of a way
  are distinct, and are changed at once.
- A way's length is no multiple of a tile's width. A place that is left over has s = 0 and `SURE` added to its score:
  its loss and gradient are then exactly 0, whatever row stands there.
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
    INT,
    LONG,
    constant,
    fused,
    load,
    loop_with_sums,
    pointer,
    row_at,
    store,
    sum_lanes,
)
from firth.word2vec.matrices import LANES

SURE = 100.0
"""A score whose loss, log(1 + e^−x), and gradient are 0 in float32."""


@intrinsic(prefer_literal=True)
def tree_tile(
    _context: Any, _contexts: Any, _gains: Any, _nodes: Any, _turns: Any, _rate: Any, _totals: Any,
    rows: Any, columns: Any, chunks: Any,
) -> Any:  # fmt: skip
    """Nodes move by the step of `rows` contexts against them; what each context gains is added to its row of gains.

    Args (all integers are int64):
        contexts, gains: addresses of `rows` row addresses each; the gains are distinct, the contexts may be the same.
        nodes: address of `columns` row addresses; those of turns are distinct.
        turns: address of 16 floats s and 16 floats to add, the pair (context c, node j) at c · `columns` + j.
        rate: float32 learning rate; 0 leaves every row as it is.
        totals: address of the loss so far, see `tile.TOTALS`.
        rows, columns, chunks: literals, rows · columns at most 16; a new tile is compiled for each combination.
    """
    if not all(isinstance(size, types.IntegerLiteral) for size in (rows, columns, chunks)):
        return None
    whole = types.int64
    signature = types.void(whole, whole, whole, whole, types.float32, whole, rows, columns, chunks)
    height, width, steps = rows.literal_value, columns.literal_value, chunks.literal_value

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        contexts, gains = ([row_at(builder, at, c) for c in range(height)] for at in args[:2])
        nodes = [row_at(builder, args[2], j) for j in range(width)]
        turns = pointer(builder, args[3])
        signs, added = (builder.load(builder.gep(turns, [ir.Constant(LONG, part)]), align=4) for part in (0, 1))

        def dots(step: Any, sums: list[Any]) -> list[Any]:
            node = [load(builder, row, step) for row in nodes]
            context = [load(builder, row, step) for row in contexts]
            pairs = [(c, n) for c in context for n in node]
            return [fused(builder, c, n, partial) for (c, n), partial in zip(pairs, sums, strict=True)]

        pairs = height * width
        scores = sum_lanes(builder, loop_with_sums(builder, steps, [constant(0.0)] * pairs, dots))
        scores = fused(builder, scores, signs, added)
        certain = gradients_of(builder, scores, [1.0] * pairs, args[4], args[5])
        gradients = [builder.fmul(one, _lane(builder, signs, pair)) for pair, one in enumerate(certain)]
        with cgutils.for_range(builder, ir.Constant(LONG, steps)) as loop:
            node = [load(builder, row, loop.index) for row in nodes]
            context = [load(builder, row, loop.index) for row in contexts]
            gain = [load(builder, row, loop.index) for row in gains]
            new = list(node)
            for pair, gradient in enumerate(gradients):
                c, j = divmod(pair, width)
                gain[c] = fused(builder, gradient, node[j], gain[c])
                new[j] = fused(builder, gradient, context[c], new[j])
            for row, value in zip([*nodes, *gains], [*new, *gain], strict=True):
                store(builder, value, row, loop.index)
        return _cg.get_dummy_value()

    return signature, codegen


def _lane(builder: Any, vector: Any, lane: int) -> Any:
    """One lane in all lanes."""
    mask = ir.Constant(ir.VectorType(INT, LANES), [lane] * LANES)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)
