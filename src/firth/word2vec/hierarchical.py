"""Hierarchical softmax over a stretch of the id stream: each centre is a way down a Huffman tree, a turn at a time.

The nodes of a way are distinct, and so are scored all at once, for one or two contexts:

    1. scores     s[c,l] = x_c · n_l, each a fixed order of 16 sums
    2. gradients  g[c,l] = (1 − code_l − σ(s[c,l])) · learning rate, in a loop over all scores
    3. update     gain_c += Σ_l g[c,l] · n_l        n_l += Σ_c g[c,l] · x_c        then x_c += gain_c

All from the values before the step; a word that is both contexts gets both gains. Contexts, windows and random numbers
are those of `kernels`, without noise. Rows are `matrices.aligned`; ids are checked before they become addresses.
"""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from firth.training import splitmix
from firth.training.compile_cache import cached
from firth.training.splitmix import bits, following
from firth.word2vec import kernels, tile
from firth.word2vec.kernels import SENTENCE, read_sentence
from firth.word2vec.matrices import ALIGNMENT, LANES

Kernel = Callable[..., tuple[int, int, int, float]]
"""What `kernel` returns."""

CONTEXTS = 2
"""Contexts of a skip-gram step."""

_HIGH = np.uint64(32)
_LIMIT = np.float32(40.0)  # |log2 of the odds| is cut here, as in `tile`
_LOG2E = np.float32(1.4426950408889634)
_ONE = np.float32(1.0)
_EXP2 = tuple(
    np.float32(c) for c in (0.0018775767, 0.0089893397, 0.0558263180, 0.2401536150, 0.6931530732, 0.9999999403)
)
_LARGE = 1e250  # the running product of odds, each below 2^41, is turned into a logarithm above this

_LONG = ir.IntType(64)
_FLOAT = ir.FloatType()
_FLOATS = ir.VectorType(_FLOAT, LANES)


@intrinsic
def dot(_context, _x, _y, _chunks):
    """Dot product of the rows at two addresses: 16 sums over the chunks, then halves added to halves."""
    signature = types.float32(types.int64, types.int64, types.int64)

    def codegen(_cg, builder, _signature, args):
        total = cgutils.alloca_once_value(builder, ir.Constant(_FLOATS, [0.0] * LANES))
        with cgutils.for_range(builder, args[2]) as step:
            x, y = (_load(builder, address, step.index) for address in args[:2])
            builder.store(_fused(builder, x, y, builder.load(total)), total)
        value, width = builder.load(total), LANES
        while width > 1:
            width //= 2
            low, high = (_lanes(builder, value, first, width) for first in (0, width))
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return signature, codegen


@intrinsic
def add_scaled(_context, _target, _source, _scale, _chunks):
    """Add `_scale` times the row at one address to the row at another."""
    signature = types.void(types.int64, types.int64, types.float32, types.int64)

    def codegen(_cg, builder, _signature, args):
        scale = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), args[2], ir.Constant(ir.IntType(32), 0))
        scale = _lanes(builder, scale, 0, LANES, step=0)
        with cgutils.for_range(builder, args[3]) as step:
            target, source = (_load(builder, address, step.index) for address in args[:2])
            place = builder.gep(_pointer(builder, args[0]), [step.index])
            builder.store(_fused(builder, scale, source, target), place, align=ALIGNMENT)
        return _cg.get_dummy_value()

    return signature, codegen


def _pointer(builder, address):
    return builder.inttoptr(address, _FLOATS.as_pointer())


def _load(builder, address, step):
    return builder.load(builder.gep(_pointer(builder, address), [step]), align=ALIGNMENT)


def _lanes(builder, vector, first, count, step=1):
    mask = ir.Constant(ir.VectorType(ir.IntType(32), count), [first + step * lane for lane in range(count)])
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


def _fused(builder, x, y, z):
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32"), [x, y, z])


@njit(error_model="numpy")
def gradients(scores, labels, odds, powers, count, rate):
    """Turn the first `count` scores into gradients, in place: (label − σ(score)) · rate. Returns the summed loss.

    `odds` (float32) and `powers` (int32) are room for 1 + e^−score, in loops that the compiler makes vectors of.
    """
    for i in range(count):
        power = min(max(scores[i] * -_LOG2E, -_LIMIT), _LIMIT)
        whole = np.floor(power)
        rest = power - whole
        value = _EXP2[0]
        for coefficient in _EXP2[1:]:
            value = value * rest + coefficient
        odds[i] = value
        powers[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
    scales = powers.view(np.float32)
    for i in range(count):
        odds[i] = odds[i] * scales[i] + _ONE
    loss, product = 0.0, 1.0
    for i in range(count):
        loss += (_ONE - labels[i]) * scores[i]
        product *= odds[i]
        if product > _LARGE:
            loss += np.log(product)
            product = 1.0
    for i in range(count):
        scores[i] = (labels[i] - _ONE / odds[i]) * rate
    return loss + np.log(product)


@njit
def descend(contexts, count, gains, base, points, codes, rate, room, chunks):
    """One step of `count` context rows (their addresses) down a way; what each gains is added to its row of `gains`.

    `gains` is the address of `count` rows, `base` of the nodes; `room` has 4 arrays of 2 · len(points) or more:
    scores, labels, odds (float32), powers (int32). Returns the summed loss.
    """
    scores, labels, odds, powers = room
    row_bytes = chunks * ALIGNMENT
    turns = len(points)
    for turn in range(turns):
        node = base + points[turn] * row_bytes
        for c in range(count):
            scores[c * turns + turn] = dot(contexts[c], node, chunks)
            labels[c * turns + turn] = _ONE - np.float32(codes[turn])
    loss = gradients(scores, labels, odds, powers, count * turns, rate)
    for turn in range(turns):
        node = base + points[turn] * row_bytes
        for c in range(count):
            add_scaled(gains + c * row_bytes, node, scores[c * turns + turn], chunks)
        for c in range(count):
            add_scaled(node, contexts[c], scores[c * turns + turn], chunks)
    return loss


@cache
def kernel(model: str) -> Kernel:
    """The compiled kernel of `model`; compiled at its first call, then kept on disk. Its closure holds one boolean.

    Called with (stream, start, stop, input, nodes, keep, points, codes, offsets, longest, window, rate, floor, seen,
    pace, total, state): the arrays of `HuffmanTree` and the length of its longest way, the rest as in `kernels.kernel`.
    Returns (words read, examples, position, summed loss); words read is −1 if the id at `position` is invalid.
    """
    skipgram = model == "skipgram"

    @njit(nogil=True, error_model="numpy")
    def run(
        stream, start, stop, inputs, nodes, keep, points, codes, offsets, longest,
        window, rate, floor, seen, pace, total, state,
    ):  # fmt: skip
        chunks = inputs.shape[1] // LANES
        row_bytes = chunks * ALIGNMENT
        input_base, node_base = inputs.ctypes.data, nodes.ctypes.data
        sentence = np.empty(SENTENCE, np.int64)
        contexts = np.empty(2 * window + 2, np.int64)
        hidden = np.empty(1, np.int64)
        size = CONTEXTS * longest
        room = (
            np.empty(size, np.float32),
            np.empty(size, np.float32),
            np.empty(size, np.float32),
            np.empty(size, np.int32),
        )
        buffer = np.zeros((CONTEXTS + 1) * row_bytes // 4 + LANES, np.float32)
        gains = (buffer.ctypes.data + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        hidden[0] = gains + CONTEXTS * row_bytes

        position, words_read, examples, loss = start, 0, 0, 0.0
        while position < stop:
            length, read, position, state = read_sentence(stream, position, stop, keep, state, sentence)
            if read < 0:
                return -1, examples, position, loss
            progress = np.float64(seen + pace * words_read) / np.float64(total)
            words_read += read
            step_rate = np.float32(rate * max(1.0 - progress, floor))
            if length < 2:
                continue
            for centre in range(length):
                state = following(state)
                reach = 1 + np.int64(((bits(state) >> _HIGH) * np.uint64(window)) >> _HIGH)
                count = 0
                for place in range(max(0, centre - reach), min(length, centre + reach + 1)):
                    if place != centre:
                        contexts[count] = input_base + sentence[place] * row_bytes
                        count += 1
                first, last = offsets[sentence[centre]], offsets[sentence[centre] + 1]
                way, turns = points[first:last], codes[first:last]
                if skipgram:
                    examples += count
                    for i in range(0, count, CONTEXTS):
                        pair = contexts[i : min(i + CONTEXTS, count)]
                        buffer[:] = 0.0
                        loss += descend(pair, len(pair), gains, node_base, way, turns, step_rate, room, chunks)
                        for c in range(len(pair)):
                            add_scaled(pair[c], gains + c * row_bytes, _ONE, chunks)
                else:
                    examples += 1
                    buffer[:] = 0.0
                    for c in range(count):
                        add_scaled(hidden[0], contexts[c], _ONE / np.float32(count), chunks)
                    loss += descend(hidden, 1, gains, node_base, way, turns, step_rate, room, chunks)
                    for c in range(count):
                        add_scaled(contexts[c], gains, _ONE, chunks)
        return words_read, examples, position, loss

    return cached(run, __file__, kernels.__file__, tile.__file__, splitmix.__file__)
