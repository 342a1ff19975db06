"""Negative sampling on a GPU, as Triton kernels: each program walks through a piece of the text, centre by centre.

What a centre needs (its word, the span of its contexts, its noise words, its learning rate) is planned beforehand
(`triton_plan`), so that the kernels hold no chance and a replay in Python meets the same numbers. Centres of a piece
follow each other; pieces run at the same time on the same rows, and what they learn is added by atomic adds.

A centre is one SGD step on all of its pairs, contexts by outputs (positive and noise), at the values before it:

    ring_kernel    The input rows around the centre stay on chip. A row is read once, when its position comes within
                   the window, collects what it learns from each of the centres that it is a context of, and is
                   written once, when the window has passed: the gain is added, so that another program's work on the
                   row survives. Of 2·window + 1 + negatives row reads a centre, 2 + negatives are left. Triton cannot
                   index registers by a number known at run time; it can select by a mask. The ring is therefore a
                   block (SLOTS, WIDTH) in which position p lives in slot p mod SLOTS, entering and leaving rows are
                   masks over slots, and the slot of each position follows from the centre alone.

                       position   … c−3 [c−2  c−1   c   c+1  c+2] c+3 …      window 2, SLOTS 8
                       slot          5 │  6    7    0    1    2 │  3         (c a multiple of 8)
                                leaves ┘                  enters ┘

    wide_kernel    For shapes whose ring does not fit in registers (wide windows, many dimensions): the same step
                   without a ring, in blocks of dimensions; rows are read twice (scores, then updates) and written at
                   every centre.

Skip-gram's three products are `tl.dot`: contexts and outputs are padded to 16 or more, with masks. All rows of a
centre are then asked for at once, where a loop over outputs would wait for each. The products are plain float32
("ieee"), not tensor cores: those hold whole operands in each warp's registers, and with K = dimensions against 16 by 16
results, compiled code spilled what this one does not; and the kernel waits for memory, not for multiplications. CBOW
has one hidden row a centre, for which a dot is too small: broadcast sums.

A row that is named twice among the outputs gets both of its gradients. A word that is twice in the ring has two copies,
which do not see each other until they leave. Noise that equals the positive is left out, as in the toolkit.
"""

# Triton compiles these functions: it knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _learn(scores, pairs, positive, rate):
    """(rate · (label − σ(score)), loss) of the scores that `pairs` marks, 0 elsewhere; `positive` marks label 1."""
    small = tl.exp(-tl.abs(scores))  # in (0, 1]: neither overflows
    sigmoid = tl.where(scores >= 0, 1.0, small) / (1.0 + small)
    gradient = tl.where(pairs, rate * (tl.where(positive, 1.0, 0.0) - sigmoid), 0.0)
    away = tl.where(positive, -scores, scores)
    return gradient, tl.where(pairs, tl.maximum(away, 0.0) + tl.log(1.0 + small), 0.0)


@triton.jit
def _output_words(words, noise, centre, column, NEGATIVES: tl.constexpr):
    """(words of the outputs, which of them count): the positive in column 0, then noise."""
    positive = tl.load(words + centre)
    drawn = tl.load(noise + centre * NEGATIVES + column - 1, mask=(column > 0) & (column <= NEGATIVES), other=0)
    word = tl.where(column == 0, positive, drawn)
    return word, (column == 0) | ((column <= NEGATIVES) & (word != positive))


@triton.jit(do_not_specialize=["count", "piece"])
def ring_kernel(  # noqa: PLR0915 - Triton inlines calls; a cut would hand on twenty values
    words, low, high, noise, rates, inputs, outputs, losses, count, piece,
    WINDOW: tl.constexpr, NEGATIVES: tl.constexpr, DIM: tl.constexpr, STRIDE: tl.constexpr,
    SLOTS: tl.constexpr, COLUMNS: tl.constexpr, WIDTH: tl.constexpr, SKIPGRAM: tl.constexpr, LEARN: tl.constexpr,
):  # fmt: skip
    """Steps for centres [program · piece, + piece) of `count`, their context rows on chip.

    `words`, `low`, `high`, `rates` (count,): word, first and last position of its contexts, learning rate of a centre.
    `noise` (count, NEGATIVES): words. `inputs`, `outputs`: rows of DIM floats, STRIDE apart. `losses` (programs,)
    float32: written, the summed loss of each program. Powers of two from 16 on: SLOTS > 2 · WINDOW, COLUMNS >
    NEGATIVES, WIDTH >= DIM. Without LEARN nothing else is written.
    """
    program = tl.program_id(0)
    start = program * piece
    stop = tl.minimum(start + piece, count)
    slot = tl.arange(0, SLOTS)
    column = tl.arange(0, COLUMNS)
    dimension = tl.arange(0, WIDTH)
    real = dimension < DIM

    position = start - WINDOW + ((slot - (start - WINDOW)) & (SLOTS - 1))
    known = (position >= 0) & (position < count) & (position < start + WINDOW)
    held = tl.load(words + position, mask=known, other=-1)  # the word in each slot, −1 for none
    input_rows = inputs + held.to(tl.int64)[:, None] * STRIDE + dimension[None, :]
    ring = tl.load(input_rows, mask=(held >= 0)[:, None] & real[None, :], other=0.0, cache_modifier=".cg")
    gain = tl.zeros((SLOTS, WIDTH), tl.float32)
    loss = tl.zeros((SLOTS, COLUMNS), tl.float32) if SKIPGRAM else tl.zeros((COLUMNS,), tl.float32)

    for centre in range(start, stop):
        ahead = centre + WINDOW
        entering = (slot == (ahead & (SLOTS - 1))) & (ahead < count)
        held = tl.where(entering, tl.load(words + tl.minimum(ahead, count - 1)), held)
        input_rows = inputs + held.to(tl.int64)[:, None] * STRIDE + dimension[None, :]
        fresh = tl.load(input_rows, mask=entering[:, None] & real[None, :], other=0.0, cache_modifier=".cg")
        ring = tl.where(entering[:, None], fresh, ring)
        gain = tl.where(entering[:, None], 0.0, gain)

        first, last, rate = tl.load(low + centre), tl.load(high + centre), tl.load(rates + centre)
        position = centre - WINDOW + ((slot - (centre - WINDOW)) & (SLOTS - 1))
        context = (position >= first) & (position <= last) & (position != centre)
        word, counts = _output_words(words, noise, centre, column, NEGATIVES)
        counts = counts & (last > first)  # a sentence of one word teaches nothing
        output_rows = outputs + word.to(tl.int64)[:, None] * STRIDE + dimension[None, :]
        output_mask = counts[:, None] & real[None, :]
        output = tl.load(output_rows, mask=output_mask, other=0.0, cache_modifier=".cg")
        if SKIPGRAM:
            scores = tl.dot(ring, tl.trans(output), input_precision="ieee")
            gradient, lost = _learn(scores, context[:, None] & counts[None, :], (column == 0)[None, :], rate)
            if LEARN:
                output_gain = tl.dot(tl.trans(gradient), ring, input_precision="ieee")
                ring_gain = tl.dot(gradient, output, input_precision="ieee")
        else:
            hidden = tl.sum(tl.where(context[:, None], ring, 0.0), 0) / tl.maximum(last - first, 1)
            gradient, lost = _learn(tl.sum(output * hidden[None, :], 1), counts, column == 0, rate)
            if LEARN:
                output_gain = gradient[:, None] * hidden[None, :]
                ring_gain = tl.where(context[:, None], tl.sum(gradient[:, None] * output, 0)[None, :], 0.0)
        loss += lost
        if LEARN:
            ring += ring_gain
            gain += ring_gain
            tl.debug_barrier()  # all threads have read the rows that now change
            tl.atomic_add(output_rows, output_gain, mask=output_mask, sem="relaxed")
            leaving = (slot == ((centre - WINDOW) & (SLOTS - 1))) & (held >= 0)
            tl.atomic_add(input_rows, gain, mask=leaving[:, None] & real[None, :], sem="relaxed")
            held = tl.where(leaving, -1, held)
            tl.debug_barrier()  # the next centre may read them
    if LEARN:
        input_rows = inputs + held.to(tl.int64)[:, None] * STRIDE + dimension[None, :]
        tl.atomic_add(input_rows, gain, mask=(held >= 0)[:, None] & real[None, :], sem="relaxed")
    tl.store(losses + program, tl.sum(loss))


@triton.jit(do_not_specialize=["count", "piece"])
def wide_kernel(
    words, low, high, noise, rates, inputs, outputs, losses, count, piece,
    WINDOW: tl.constexpr, NEGATIVES: tl.constexpr, DIM: tl.constexpr, STRIDE: tl.constexpr,
    SLOTS: tl.constexpr, COLUMNS: tl.constexpr, WIDTH: tl.constexpr, SKIPGRAM: tl.constexpr, LEARN: tl.constexpr,
):  # fmt: skip
    """As `ring_kernel`, for any shape: no ring, and WIDTH dimensions at a time."""
    program = tl.program_id(0)
    start = program * piece
    stop = tl.minimum(start + piece, count)
    slot = tl.arange(0, SLOTS)
    column = tl.arange(0, COLUMNS)
    block = tl.arange(0, WIDTH)
    loss = tl.zeros((SLOTS, COLUMNS), tl.float32) if SKIPGRAM else tl.zeros((COLUMNS,), tl.float32)

    for centre in range(start, stop):
        first, last, rate = tl.load(low + centre), tl.load(high + centre), tl.load(rates + centre)
        position = centre - WINDOW + slot
        context = (position >= first) & (position <= last) & (position != centre)
        context_word = tl.load(words + position, mask=context, other=0)
        word, counts = _output_words(words, noise, centre, column, NEGATIVES)
        counts = counts & (last > first)
        share = 1.0 / tl.maximum(last - first, 1)
        input_starts = inputs + context_word.to(tl.int64)[:, None] * STRIDE
        output_starts = outputs + word.to(tl.int64)[:, None] * STRIDE

        scores = tl.zeros((SLOTS, COLUMNS), tl.float32) if SKIPGRAM else tl.zeros((COLUMNS,), tl.float32)
        for at in range(0, DIM, WIDTH):
            dimension = (at + block)[None, :]
            rows = tl.load(
                input_starts + dimension, mask=context[:, None] & (dimension < DIM), other=0.0, cache_modifier=".cg"
            )
            output = tl.load(
                output_starts + dimension, mask=counts[:, None] & (dimension < DIM), other=0.0, cache_modifier=".cg"
            )
            if SKIPGRAM:
                scores += tl.dot(rows, tl.trans(output), input_precision="ieee")
            else:
                scores += tl.sum(output * (tl.sum(rows, 0) * share)[None, :], 1)
        if SKIPGRAM:
            gradient, lost = _learn(scores, context[:, None] & counts[None, :], (column == 0)[None, :], rate)
        else:
            gradient, lost = _learn(scores, counts, column == 0, rate)
        loss += lost

        if LEARN:
            for at in range(0, DIM, WIDTH):
                dimension = (at + block)[None, :]
                input_mask = context[:, None] & (dimension < DIM)
                output_mask = counts[:, None] & (dimension < DIM)
                rows = tl.load(input_starts + dimension, mask=input_mask, other=0.0, cache_modifier=".cg")
                output = tl.load(output_starts + dimension, mask=output_mask, other=0.0, cache_modifier=".cg")
                if SKIPGRAM:
                    input_gain = tl.dot(gradient, output, input_precision="ieee")
                    output_gain = tl.dot(tl.trans(gradient), rows, input_precision="ieee")
                else:
                    hidden_gain = tl.sum(gradient[:, None] * output, 0)
                    input_gain = tl.broadcast_to(hidden_gain[None, :], (SLOTS, WIDTH))
                    output_gain = gradient[:, None] * (tl.sum(rows, 0) * share)[None, :]
                tl.debug_barrier()
                tl.atomic_add(input_starts + dimension, input_gain, mask=input_mask, sem="relaxed")
                tl.atomic_add(output_starts + dimension, output_gain, mask=output_mask, sem="relaxed")
                tl.debug_barrier()
    tl.store(losses + program, tl.sum(loss))
