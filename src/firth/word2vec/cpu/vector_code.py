"""What tiles are written in: LLVM code for vectors of 16 floats, rows in memory, and loops over them."""

# llvmlite and numba have no types for what builds code.
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from firth.word2vec.matrices import ALIGNMENT, LANES

FLOAT = ir.FloatType()
INT = ir.IntType(32)
LONG = ir.IntType(64)
FLOATS = ir.VectorType(FLOAT, LANES)
INTS = ir.VectorType(INT, LANES)

_PREFETCH = (1, 3, 1)
"""To be written, near, data. A row that is asked for to be read is asked for again by its first write where another
thread's CPU holds a copy; asked for to be written, it comes for this CPU alone."""


def row_at(builder: Any, addresses: Any, index: Any) -> Any:
    """The `index`-th of the row pointers at `addresses`."""
    place = index if isinstance(index, ir.Value) else ir.Constant(LONG, index)
    pointers = builder.inttoptr(addresses, LONG.as_pointer())
    return pointer(builder, builder.load(builder.gep(pointers, [place])))


def pointer(builder: Any, address: Any) -> Any:
    """The row at `address`, an int64."""
    return builder.inttoptr(address, FLOATS.as_pointer())


def load(builder: Any, row: Any, step: Any) -> Any:
    """The 16 floats of `step` of `row`."""
    return builder.load(builder.gep(row, [step]), align=ALIGNMENT)


def store(builder: Any, value: Any, row: Any, step: Any) -> None:
    """Write 16 floats."""
    builder.store(value, builder.gep(row, [step]), align=ALIGNMENT)


def constant(value: float) -> Any:
    """`value` in all lanes."""
    return ir.Constant(FLOATS, [value] * LANES)


def integers(values: list[int]) -> Any:
    """16 int32."""
    return ir.Constant(INTS, values)


def splat(builder: Any, scalar: Any) -> Any:
    """A float32 in all lanes."""
    undefined = ir.Constant(FLOATS, ir.Undefined)
    vector = builder.insert_element(undefined, scalar, ir.Constant(INT, 0))
    return builder.shuffle_vector(vector, undefined, integers([0] * LANES))


def fused(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x · y + z, rounded once."""
    return vector_math(builder, "fma", x, y, z)


def vector_math(builder: Any, name: str, *args: Any) -> Any:
    """One of LLVM's vector functions: `fma`, `floor`, `minnum`, `maxnum`."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * len(args))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, args)


def prefetch_lines(builder: Any, rows: list[Any], step: Any) -> None:
    """Ask for the cache lines of `step` of `rows`."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, INT, INT, INT])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    hints = [ir.Constant(INT, value) for value in _PREFETCH]
    for row in rows:
        builder.call(function, [builder.bitcast(builder.gep(row, [step]), byte), *hints])


def loop_with_sums(
    builder: Any, steps: Any, start: list[Any], body: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """`steps` >= 1 rounds (an int, or int64 code) of `body`(step, values) -> values, beginning with `start`.

    Returns the last values.
    """
    end = steps if isinstance(steps, ir.Value) else ir.Constant(LONG, steps)
    before = builder.block
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("loop.end")
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(LONG)
    step.add_incoming(ir.Constant(LONG, 0), before)
    values = [builder.phi(value.type) for value in start]
    for phi, value in zip(values, start, strict=True):
        phi.add_incoming(value, before)
    grown = body(step, values)
    following = builder.add(step, ir.Constant(LONG, 1))
    step.add_incoming(following, builder.block)
    for phi, value in zip(values, grown, strict=True):
        phi.add_incoming(value, builder.block)
    builder.cbranch(builder.icmp_unsigned("<", following, end), loop, after)
    builder.position_at_end(after)
    return grown


def sum_lanes(builder: Any, vectors: list[Any]) -> Any:
    """Up to 16 vectors to one, whose lane i is the sum of the lanes of vector i (0 where there is none).

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
            halves = [builder.shuffle_vector(x, other, integers(lanes)) for lanes in (low, high)]
            folded.append(builder.fadd(*halves))
        current = folded
        width //= 2
    return current[0]
