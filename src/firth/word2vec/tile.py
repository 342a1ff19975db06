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

from collections.abc import Callable
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

_PREFETCH = (1, 3, 1)
"""To be written, near, data. A row that is asked for to be read is asked for again by its first write where another
thread's CPU holds a copy; asked for to be written, it comes for this CPU alone."""

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


def row_at(builder: Any, addresses: Any, index: Any) -> Any:
    """The `index`-th of the row pointers at `addresses`."""
    place = index if isinstance(index, ir.Value) else ir.Constant(_LONG, index)
    pointers = builder.inttoptr(addresses, _LONG.as_pointer())
    return pointer(builder, builder.load(builder.gep(pointers, [place])))


def pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _FLOATS.as_pointer())


def load(builder: Any, row: Any, step: Any) -> Any:
    return builder.load(builder.gep(row, [step]), align=ALIGNMENT)


def store(builder: Any, value: Any, row: Any, step: Any) -> None:
    builder.store(value, builder.gep(row, [step]), align=ALIGNMENT)


def constant(value: float) -> Any:
    return ir.Constant(_FLOATS, [value] * LANES)


def _integers(values: list[int]) -> Any:
    return ir.Constant(_INTS, values)


def splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    vector = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(vector, undefined, _integers([0] * LANES))


def fused(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x · y + z, rounded once."""
    return _math(builder, "fma", x, y, z)


def prefetch_lines(builder: Any, rows: list[Any], step: Any) -> None:
    """Ask for the cache lines of `step` of `rows`."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    hints = [ir.Constant(_INT, value) for value in _PREFETCH]
    for row in rows:
        builder.call(function, [builder.bitcast(builder.gep(row, [step]), byte), *hints])


def _math(builder: Any, name: str, *args: Any) -> Any:
    """One of LLVM's vector functions: `fma`, `floor`, `minnum`, `maxnum`."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(args))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, args)


def loop_with_sums(
    builder: Any, steps: int, start: list[Any], body: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """`steps` >= 1 rounds of `body`(step, values) -> values, beginning with `start`. Returns the last values."""
    before = builder.block
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("loop.end")
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(_LONG)
    step.add_incoming(_ZERO, before)
    values = [builder.phi(value.type) for value in start]
    for phi, value in zip(values, start, strict=True):
        phi.add_incoming(value, before)
    grown = body(step, values)
    following = builder.add(step, _ONE)
    step.add_incoming(following, builder.block)
    for phi, value in zip(values, grown, strict=True):
        phi.add_incoming(value, builder.block)
    builder.cbranch(builder.icmp_unsigned("<", following, ir.Constant(_LONG, steps)), loop, after)
    builder.position_at_end(after)
    return grown


def _dots(builder: Any, contexts: list[Any], outputs: list[Any], chunks: int, coming: list[Any]) -> list[Any]:
    """Step 1: for each pair, context-major, 16 partial sums of its dot product."""

    def body(step: Any, sums: list[Any]) -> list[Any]:
        prefetch_lines(builder, coming, step)
        output = [load(builder, row, step) for row in outputs]
        context = [load(builder, row, step) for row in contexts]
        pairs = [(c, o) for c in context for o in output]
        return [fused(builder, c, o, partial) for (c, o), partial in zip(pairs, sums, strict=True)]

    return loop_with_sums(builder, chunks, [constant(0.0)] * (len(contexts) * len(outputs)), body)


def sum_lanes(builder: Any, vectors: list[Any]) -> Any:
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
            other = constant(0.0) if y is None else y
            halves = [builder.shuffle_vector(x, other, _integers(lanes)) for lanes in (low, high)]
            folded.append(builder.fadd(*halves))
        current = folded
        width //= 2
    return current[0]


def gradients_of(builder: Any, x: Any, labels: list[float], rate: Any, totals: Any) -> list[Any]:
    """Step 3: for each pair of `labels`, (label − σ(x)) · rate in all lanes; its loss goes to `totals`."""
    padding = [0.0] * (LANES - len(labels))
    power = builder.fmul(x, constant(-1.4426950408889634))  # e^−x = 2^power
    power = _math(builder, "minnum", _math(builder, "maxnum", power, constant(-_LIMIT)), constant(_LIMIT))
    whole = _math(builder, "floor", power)
    rest = builder.fsub(power, whole)
    value = constant(_EXP2[0])
    for coefficient in _EXP2[1:]:
        value = _math(builder, "fma", value, rest, constant(coefficient))
    exponent = builder.add(builder.fptosi(whole, _INTS), _integers([127] * LANES))
    scale = builder.bitcast(builder.shl(exponent, _integers([23] * LANES)), _FLOATS)
    odds = builder.fadd(builder.fmul(value, scale), constant(1.0))  # 1 + e^−x
    sigmoid = builder.fdiv(constant(1.0), odds)
    scaled = builder.fmul(builder.fsub(ir.Constant(_FLOATS, [*labels, *padding]), sigmoid), splat(builder, rate))
    noise = [1.0 - label for label in labels]
    used = ir.Constant(ir.VectorType(ir.IntType(1), LANES), [*[1] * len(labels), *[0] * len(padding)])
    _add_loss(builder, builder.select(used, odds, constant(1.0)), x, ir.Constant(_FLOATS, [*noise, *padding]), totals)
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
        output = [load(builder, row, step) for row in outputs]
        context = [load(builder, row, step) for row in contexts]
        new_output, new_context = list(output), list(context)
        for pair, gradient in enumerate(gradients):
            c, j = divmod(pair, len(outputs))
            new_context[c] = _math(builder, "fma", gradient, output[j], new_context[c])
            new_output[j] = _math(builder, "fma", gradient, context[c], new_output[j])
        for row, value in zip(outputs, new_output, strict=True):
            store(builder, value, row, step)
        for row, value in zip(contexts, new_context, strict=True):
            store(builder, value, row, step)
