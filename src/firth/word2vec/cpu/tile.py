"""The tile: a few contexts against a few output words, in one pass over registers, as LLVM vector code.

Negative sampling trains pairs: an input row against an output row, label 1 for the word that was there and 0 for
noise. The noise words of a centre serve all of its contexts, so the pairs form a rectangle, and a rectangle of 2 by
(1 + negatives) is worth more than its pairs one by one:

                    outputs (rows of C)
                 positive  noise  noise  …            per step of 16 dimensions
               ┌────────┬───────┬───────┬───┐
     context 0 │  dot   │  dot  │  dot  │ … │         load 2 + J vectors,
    (row of W) ├────────┼───────┼───────┼───┤         use each of them J or 2 times:
     context 1 │  dot   │  dot  │  dot  │ … │         2·J fused multiply-adds on 2 + J loads
               └────────┴───────┴───────┴───┘

    1. dot        2·J accumulators of 16 lanes stay in registers through the loop over dimensions.
    2. transpose  a butterfly of shuffles adds the lanes up; pair i's dot product ends in lane i of one vector.
    3. sigmoid    one vector of 16 pairs at a time:  g = (label − σ(x)) · learning rate
    4. update     one loop over dimensions: every row is read once and written once, from the values before the tile:
                      context_c += Σ_j g[c,j] · output_j          output_j += Σ_c g[c,j] · context_c

A tile is thus one SGD step on the sum of its pairs' losses. Rows have `chunks` · 16 floats and start at multiples of
64 bytes (the padding stays zero). The rows of one tile must be distinct: the caller gives repeated rows private
copies (`rows.separate`). Addresses are raw: `kernels` takes them from ids that it has checked.

The arithmetic is in a fixed order, without fast-math, so that vectors of 16 lanes give the same bits whatever width
the CPU has.
"""

# llvmlite and numba have no types for what builds code.
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from firth.word2vec.cpu.vector_code import (
    FLOATS,
    INTS,
    LONG,
    constant,
    fused,
    integers,
    load,
    loop_with_sums,
    prefetch_lines,
    row_at,
    splat,
    store,
    sum_lanes,
    vector_math,
)
from firth.word2vec.matrices import LANES

TOTALS = 3 * LANES
"""32-bit numbers behind a tile's `totals`: three vectors of 16 lanes. Per pair the loss is log(1 + e^−x), plus x for
noise. The product of the terms 1 + e^−x is kept as mantissa (float32, 1 <= m < 2) and exponent (int32), the sum of
the x as float32, so that a tile costs no logarithm: loss = Σ over lanes of log(mantissa) + exponent · log 2 + sum.
"""

_EXP2 = (0.0018775767, 0.0089893397, 0.0558263180, 0.2401536150, 0.6931530732, 0.9999999403)
"""Polynomial for 2^r, 0 <= r < 1, highest power first; relative error below 2e-7."""

_LIMIT = 40.0
"""|log2 of the odds| is cut here: σ is then 1e-12 from 0 or 1, far below float32's resolution of a gradient."""


@intrinsic(prefer_literal=True)
def tile(
    _context: Any, _contexts: Any, _outputs: Any, _rate: Any, _totals: Any, rows: Any, columns: Any, chunks: Any
) -> Any:
    """One step on `rows` contexts by `columns` outputs (the first is the positive) of `chunks` · 16 floats.

    Args (all integers are int64):
        contexts: address of `rows` row addresses.
        outputs: address of `columns` row addresses.
        rate: float32 learning rate; 0 leaves every row as it is.
        totals: address of the loss so far, see `TOTALS`.
        rows, columns, chunks: literals; a new tile is compiled for each combination.
    """
    if not all(isinstance(size, types.IntegerLiteral) for size in (rows, columns, chunks)):
        return None
    signature = types.void(types.int64, types.int64, types.float32, types.int64, rows, columns, chunks)
    shape, steps = (rows.literal_value, columns.literal_value), chunks.literal_value

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        _build_tile(builder, args[:4], shape, steps, [])
        return _cg.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def tile_and_prefetch(
    _context: Any, _contexts: Any, _outputs: Any, _rate: Any, _totals: Any, _ahead: Any, rows: Any, columns: Any,
    chunks: Any,
) -> Any:  # fmt: skip
    """`tile`, which on the way asks for the `columns` + 1 rows whose addresses lie at `ahead`.

    One cache line of each goes with every step of the dot products: asked for all at once they would fill the queue of
    cache misses, and the CPU would wait.
    """
    if not all(isinstance(size, types.IntegerLiteral) for size in (rows, columns, chunks)):
        return None
    signature = types.void(types.int64, types.int64, types.float32, types.int64, types.int64, rows, columns, chunks)
    shape, steps = (rows.literal_value, columns.literal_value), chunks.literal_value

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        coming = [row_at(builder, args[4], i) for i in range(shape[1] + 1)]
        _build_tile(builder, args[:4], shape, steps, coming)
        return _cg.get_dummy_value()

    return signature, codegen


def _build_tile(builder: Any, args: list[Any], shape: tuple[int, int], steps: int, coming: list[Any]) -> None:
    """The code of one tile of `shape` (contexts, outputs); `coming` rows are asked for."""
    contexts_at, outputs_at, rate, totals = args
    contexts = [row_at(builder, contexts_at, i) for i in range(shape[0])]
    outputs = [row_at(builder, outputs_at, j) for j in range(shape[1])]
    sums = _dots(builder, contexts, outputs, steps, coming)
    gradients: list[Any] = []
    for first in range(0, len(sums), LANES):
        group = sums[first : first + LANES]
        labels = [1.0 if (first + i) % shape[1] == 0 else 0.0 for i in range(len(group))]
        gradients += gradients_of(builder, sum_lanes(builder, group), labels, rate, totals)
    _update(builder, contexts, outputs, gradients, steps)


def _dots(builder: Any, contexts: list[Any], outputs: list[Any], chunks: int, coming: list[Any]) -> list[Any]:
    """Step 1: for each pair, context-major, 16 partial sums of its dot product."""

    def body(step: Any, sums: list[Any]) -> list[Any]:
        prefetch_lines(builder, coming, step)
        output = [load(builder, row, step) for row in outputs]
        context = [load(builder, row, step) for row in contexts]
        pairs = [(c, o) for c in context for o in output]
        return [fused(builder, c, o, partial) for (c, o), partial in zip(pairs, sums, strict=True)]

    return loop_with_sums(builder, chunks, [constant(0.0)] * (len(contexts) * len(outputs)), body)


def gradients_of(builder: Any, x: Any, labels: list[float], rate: Any, totals: Any) -> list[Any]:
    """Step 3: for each pair of `labels`, (label − σ(x)) · rate in all lanes; its loss goes to `totals`."""
    padding = [0.0] * (LANES - len(labels))
    power = builder.fmul(x, constant(-1.4426950408889634))  # e^−x = 2^power
    power = vector_math(builder, "minnum", vector_math(builder, "maxnum", power, constant(-_LIMIT)), constant(_LIMIT))
    whole = vector_math(builder, "floor", power)
    rest = builder.fsub(power, whole)
    value = constant(_EXP2[0])
    for coefficient in _EXP2[1:]:
        value = fused(builder, value, rest, constant(coefficient))
    exponent = builder.add(builder.fptosi(whole, INTS), integers([127] * LANES))
    scale = builder.bitcast(builder.shl(exponent, integers([23] * LANES)), FLOATS)
    odds = builder.fadd(builder.fmul(value, scale), constant(1.0))  # 1 + e^−x
    sigmoid = builder.fdiv(constant(1.0), odds)
    scaled = builder.fmul(builder.fsub(ir.Constant(FLOATS, [*labels, *padding]), sigmoid), splat(builder, rate))
    noise = [1.0 - label for label in labels]
    used = ir.Constant(ir.VectorType(ir.IntType(1), LANES), [*[1] * len(labels), *[0] * len(padding)])
    _add_loss(builder, builder.select(used, odds, constant(1.0)), x, ir.Constant(FLOATS, [*noise, *padding]), totals)
    undefined = ir.Constant(FLOATS, ir.Undefined)
    return [builder.shuffle_vector(scaled, undefined, integers([lane] * LANES)) for lane in range(len(labels))]


def _add_loss(builder: Any, odds: Any, x: Any, noise: Any, totals: Any) -> None:
    """Multiply `odds` into the running product, add the `x` of noise to the running sum; see `TOTALS`."""
    as_floats, as_integers = (builder.inttoptr(totals, kind.as_pointer()) for kind in (FLOATS, INTS))
    mantissas, sums = (builder.gep(as_floats, [ir.Constant(LONG, part)]) for part in (0, 2))
    exponents = builder.gep(as_integers, [ir.Constant(LONG, 1)])
    product = builder.bitcast(builder.fmul(builder.load(mantissas, align=4), odds), INTS)
    power = builder.sub(builder.lshr(product, integers([23] * LANES)), integers([127] * LANES))
    mantissa = builder.or_(builder.and_(product, integers([0x007FFFFF] * LANES)), integers([0x3F800000] * LANES))
    builder.store(builder.bitcast(mantissa, FLOATS), mantissas, align=4)
    builder.store(builder.add(builder.load(exponents, align=4), power), exponents, align=4)
    builder.store(fused(builder, x, noise, builder.load(sums, align=4)), sums, align=4)


def _update(builder: Any, contexts: list[Any], outputs: list[Any], gradients: list[Any], chunks: int) -> None:
    """Step 4: all rows, from the values before the tile."""
    with cgutils.for_range(builder, ir.Constant(LONG, chunks)) as loop:
        step = loop.index
        output = [load(builder, row, step) for row in outputs]
        context = [load(builder, row, step) for row in contexts]
        new_output, new_context = list(output), list(context)
        for pair, gradient in enumerate(gradients):
            c, j = divmod(pair, len(outputs))
            new_context[c] = fused(builder, gradient, output[j], new_context[c])
            new_output[j] = fused(builder, gradient, context[c], new_output[j])
        for row, value in zip(outputs, new_output, strict=True):
            store(builder, value, row, step)
        for row, value in zip(contexts, new_context, strict=True):
            store(builder, value, row, step)
