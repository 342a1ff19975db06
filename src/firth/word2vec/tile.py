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
copies (`kernels.separate`). Addresses are raw: `kernels` takes them from ids that it has checked.

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

LANES = 16
"""Floats in a vector; rows are padded to a multiple of it."""

ALIGNMENT = 64
"""Bytes; where each row starts."""

_FLOAT = ir.FloatType()
_INT = ir.IntType(32)
_LONG = ir.IntType(64)
_FLOATS = ir.VectorType(_FLOAT, LANES)
_INTS = ir.VectorType(_INT, LANES)
_ZERO = ir.Constant(_LONG, 0)
_ONE = ir.Constant(_LONG, 1)

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
    shape = (rows.literal_value, columns.literal_value)
    steps = chunks.literal_value

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        n_rows, n_columns = shape
        context_rows = [_row(builder, args[0], i) for i in range(n_rows)]
        output_rows = [_row(builder, args[1], j) for j in range(n_columns)]
        sums = _dots(builder, context_rows, output_rows, steps)
        gradients: list[Any] = []
        for first in range(0, len(sums), LANES):
            group = sums[first : first + LANES]
            labels = [1.0 if (first + i) % n_columns == 0 else 0.0 for i in range(len(group))]
            gradients += _gradients(builder, _sum_lanes(builder, group), labels, args[2], args[3])
        _update(builder, context_rows, output_rows, gradients, steps)
        return _cg.get_dummy_value()

    return signature, codegen


@intrinsic
def mean_of_rows(_context: Any, _rows: Any, _count: Any, _target: Any, _chunks: Any) -> Any:
    """Write the mean of the `count` rows whose addresses lie at `rows` to the row at `target`."""
    signature = types.void(types.int64, types.int64, types.int64, types.int64)

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        addresses, count, target, chunks = args
        share = _splat(builder, builder.fdiv(ir.Constant(_FLOAT, 1.0), builder.sitofp(count, _FLOAT)))
        total = cgutils.alloca_once(builder, _FLOATS)
        with cgutils.for_range(builder, chunks) as step:
            builder.store(ir.Constant(_FLOATS, [0.0] * LANES), total)
            with cgutils.for_range(builder, count) as item:
                row = _row(builder, addresses, item.index)
                builder.store(builder.fadd(builder.load(total), _load(builder, row, step.index)), total)
            _store(builder, builder.fmul(builder.load(total), share), _pointer(builder, target), step.index)
        return _cg.get_dummy_value()

    return signature, codegen


@intrinsic
def add_difference(_context: Any, _rows: Any, _count: Any, _after: Any, _before: Any, _chunks: Any) -> Any:
    """Add row `after` minus row `before` to each of `count` rows, one after the other: repeated rows get it twice."""
    signature = types.void(types.int64, types.int64, types.int64, types.int64, types.int64)

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        addresses, count, after, before, chunks = args
        with cgutils.for_range(builder, chunks) as step:
            now = _load(builder, _pointer(builder, after), step.index)
            change = builder.fsub(now, _load(builder, _pointer(builder, before), step.index))
            with cgutils.for_range(builder, count) as item:
                row = _row(builder, addresses, item.index)
                _store(builder, builder.fadd(_load(builder, row, step.index), change), row, step.index)
        return _cg.get_dummy_value()

    return signature, codegen


@intrinsic
def prefetch_row(_context: Any, _row: Any, _chunks: Any) -> Any:
    """Ask for the row at address `row` ahead of its use; one cache line a chunk."""
    signature = types.void(types.int64, types.int64)

    def codegen(_cg: Any, builder: Any, _signature: Any, args: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        with cgutils.for_range(builder, args[1]) as step:
            line = builder.add(args[0], builder.mul(step.index, ir.Constant(_LONG, ALIGNMENT)))
            hints = [ir.Constant(_INT, value) for value in (0, 3, 1)]  # to read, keep in all caches, data
            builder.call(function, [builder.inttoptr(line, byte), *hints])
        return _cg.get_dummy_value()

    return signature, codegen


def _row(builder: Any, addresses: Any, index: Any) -> Any:
    """The `index`-th of the row pointers at `addresses`."""
    place = index if isinstance(index, ir.Value) else ir.Constant(_LONG, index)
    pointers = builder.inttoptr(addresses, _LONG.as_pointer())
    return _pointer(builder, builder.load(builder.gep(pointers, [place])))


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _FLOATS.as_pointer())


def _load(builder: Any, row: Any, step: Any) -> Any:
    return builder.load(builder.gep(row, [step]), align=ALIGNMENT)


def _store(builder: Any, value: Any, row: Any, step: Any) -> None:
    builder.store(value, builder.gep(row, [step]), align=ALIGNMENT)


def _constant(value: float) -> Any:
    return ir.Constant(_FLOATS, [value] * LANES)


def _integers(values: list[int]) -> Any:
    return ir.Constant(_INTS, values)


def _splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    vector = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(vector, undefined, _integers([0] * LANES))


def _math(builder: Any, name: str, *args: Any) -> Any:
    """One of LLVM's vector functions: `fma`, `floor`, `minnum`, `maxnum`."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(args))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, args)


def _dots(builder: Any, contexts: list[Any], outputs: list[Any], chunks: int) -> list[Any]:
    """Step 1: for each pair, context-major, 16 partial sums of its dot product."""
    before = builder.block
    loop, after = builder.append_basic_block("dots"), builder.append_basic_block("dots.end")
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(_LONG)
    step.add_incoming(_ZERO, before)
    sums = [builder.phi(_FLOATS) for _ in range(len(contexts) * len(outputs))]
    for partial in sums:
        partial.add_incoming(_constant(0.0), before)
    output = [_load(builder, row, step) for row in outputs]
    context = [_load(builder, row, step) for row in contexts]
    pairs = [(c, o) for c in context for o in output]
    grown = [_math(builder, "fma", c, o, partial) for (c, o), partial in zip(pairs, sums, strict=True)]
    following = builder.add(step, _ONE)
    step.add_incoming(following, loop)
    for partial, value in zip(sums, grown, strict=True):
        partial.add_incoming(value, loop)
    builder.cbranch(builder.icmp_unsigned("<", following, ir.Constant(_LONG, chunks)), loop, after)
    builder.position_at_end(after)
    return grown


def _sum_lanes(builder: Any, vectors: list[Any]) -> Any:
    """Step 2: up to 16 vectors to one, whose lane i is the sum of the lanes of vector i (0 where there is none).

    Each round folds two vectors into one: the halves of each are added, and the results stand side by side.
    """
    width = LANES // 2
    current: list[Any] = [*vectors, *[None] * (LANES - len(vectors))]
    while width:
        low = [base + s + i for base in (0, LANES) for s in range(0, LANES, 2 * width) for i in range(width)]
        high = [lane + width for lane in low]
        folded: list[Any] = []
        for x, y in zip(current[::2], current[1::2], strict=True):
            if x is None:
                folded.append(None)
                continue
            other = _constant(0.0) if y is None else y
            halves = [builder.shuffle_vector(x, other, _integers(lanes)) for lanes in (low, high)]
            folded.append(builder.fadd(*halves))
        current = folded
        width //= 2
    return current[0]


def _gradients(builder: Any, x: Any, labels: list[float], rate: Any, totals: Any) -> list[Any]:
    """Step 3: for each pair of `labels`, (label − σ(x)) · rate in all lanes; its loss goes to `totals`."""
    padding = [0.0] * (LANES - len(labels))
    power = builder.fmul(x, _constant(-1.4426950408889634))  # e^−x = 2^power
    power = _math(builder, "minnum", _math(builder, "maxnum", power, _constant(-_LIMIT)), _constant(_LIMIT))
    whole = _math(builder, "floor", power)
    rest = builder.fsub(power, whole)
    value = _constant(_EXP2[0])
    for coefficient in _EXP2[1:]:
        value = _math(builder, "fma", value, rest, _constant(coefficient))
    exponent = builder.add(builder.fptosi(whole, _INTS), _integers([127] * LANES))
    scale = builder.bitcast(builder.shl(exponent, _integers([23] * LANES)), _FLOATS)
    odds = builder.fadd(builder.fmul(value, scale), _constant(1.0))  # 1 + e^−x
    sigmoid = builder.fdiv(_constant(1.0), odds)
    scaled = builder.fmul(builder.fsub(ir.Constant(_FLOATS, [*labels, *padding]), sigmoid), _splat(builder, rate))
    noise = [1.0 - label for label in labels]
    used = ir.Constant(ir.VectorType(ir.IntType(1), LANES), [*[1] * len(labels), *[0] * len(padding)])
    _add_loss(builder, builder.select(used, odds, _constant(1.0)), x, ir.Constant(_FLOATS, [*noise, *padding]), totals)
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    return [builder.shuffle_vector(scaled, undefined, _integers([lane] * LANES)) for lane in range(len(labels))]


def _add_loss(builder: Any, odds: Any, x: Any, noise: Any, totals: Any) -> None:
    """Multiply `odds` into the running product, add the `x` of noise to the running sum; see `TOTALS`."""
    floats, integers = (builder.inttoptr(totals, kind.as_pointer()) for kind in (_FLOATS, _INTS))
    mantissas, sums = (builder.gep(floats, [ir.Constant(_LONG, part)]) for part in (0, 2))
    exponents = builder.gep(integers, [_ONE])
    product = builder.bitcast(builder.fmul(builder.load(mantissas, align=4), odds), _INTS)
    power = builder.sub(builder.lshr(product, _integers([23] * LANES)), _integers([127] * LANES))
    mantissa = builder.or_(builder.and_(product, _integers([0x007FFFFF] * LANES)), _integers([0x3F800000] * LANES))
    builder.store(builder.bitcast(mantissa, _FLOATS), mantissas, align=4)
    builder.store(builder.add(builder.load(exponents, align=4), power), exponents, align=4)
    builder.store(_math(builder, "fma", x, noise, builder.load(sums, align=4)), sums, align=4)


def _update(builder: Any, contexts: list[Any], outputs: list[Any], gradients: list[Any], chunks: int) -> None:
    """Step 4: all rows, from the values before the tile."""
    with cgutils.for_range(builder, ir.Constant(_LONG, chunks)) as loop:
        step = loop.index
        output = [_load(builder, row, step) for row in outputs]
        context = [_load(builder, row, step) for row in contexts]
        new_output, new_context = list(output), list(context)
        for pair, gradient in enumerate(gradients):
            c, j = divmod(pair, len(outputs))
            new_context[c] = _math(builder, "fma", gradient, output[j], new_context[c])
            new_output[j] = _math(builder, "fma", gradient, context[c], new_output[j])
        for row, value in zip(outputs, new_output, strict=True):
            _store(builder, value, row, step)
        for row, value in zip(contexts, new_context, strict=True):
            _store(builder, value, row, step)
