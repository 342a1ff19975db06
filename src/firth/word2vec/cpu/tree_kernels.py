"""Hierarchical softmax over a stretch of the id stream: each centre is a way down a Huffman tree, a turn at a time.

A step is one or two contexts of a centre against all nodes of its way, eight or four to a tile (`tree_tile`). Contexts,
windows and random numbers are those of `kernels`, without noise. Rows are `matrices.aligned`; ids are checked before
they become addresses.
"""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from firth.training.compile_cache import cached
from firth.training.splitmix import bits, following
from firth.word2vec.cpu import SOURCES
from firth.word2vec.cpu.kernels import Kernel
from firth.word2vec.cpu.progress import FLUSH, decayed, flush, loss_totals
from firth.word2vec.cpu.reading import below, read_sentence
from firth.word2vec.cpu.row_code import add_row, prefetch_row
from firth.word2vec.cpu.tree_tile import SURE, tree_tile
from firth.word2vec.matrices import ALIGNMENT, LANES
from firth.word2vec.sampling import SENTENCE

CONTEXTS = 2
"""Contexts of a skip-gram step."""

WIDE, NARROW = 8, 4
"""Nodes of a tile; the narrow one is for the last few turns of a way."""

_ONE = np.float32(1.0)


@njit
def lay_out(points, codes, base, row_bytes, spare, nodes, turns):
    """Write a way as its tiles want it: tile t has addresses nodes[t] (WIDE,) and turns[t] (2, LANES).

    The address `spare` fills what is left over. Returns the number of tiles.
    """
    length = len(points)
    tiles = (length + WIDE - 1) // WIDE
    for t in range(tiles):
        first = t * WIDE
        width = WIDE if length - first > NARROW else NARROW
        for j in range(width):
            sign, added = np.float32(0.0), np.float32(SURE)
            nodes[t, j] = spare
            if first + j < length:
                sign, added = _ONE - np.float32(2 * codes[first + j]), np.float32(0.0)
                nodes[t, j] = base + points[first + j] * row_bytes
            for c in range(CONTEXTS):
                turns[t, 0, c * width + j] = sign
                turns[t, 1, c * width + j] = added
    return tiles


@cache
def kernel(model: str, chunks: int) -> Kernel:  # noqa: PLR0915 - the kernel is inside
    """The compiled kernel of `model` for rows of `chunks` · 16 floats; compiled at its first call, then kept on disk.

    Called with (stream, start, stop, input, nodes, keep, points, codes, offsets, longest, window, rate, floor, seen,
    pace, total, state): the arrays of `HuffmanTree` and the length of its longest way, the rest as in `kernels.kernel`.
    Returns (words read, examples, position, summed loss); words read is −1 if the id at `position` is invalid.
    """
    width = chunks * LANES
    row_bytes = chunks * ALIGNMENT
    skipgram = model == "skipgram"

    @njit(nogil=True, error_model="numpy")
    def run(  # noqa: PLR0912, PLR0915 - one function, so that its closure holds integers only
        stream, start, stop, inputs, tree, keep, points, codes, offsets, longest,
        window, rate, floor, seen, pace, total, state,
    ):  # fmt: skip
        # numba frees an array after its last use, and tiles only know addresses: all scratch is used within the loop.
        input_base, node_base = inputs.ctypes.data, tree.ctypes.data
        sentence = np.empty(SENTENCE, np.int64)
        contexts = np.empty(2 * window + 2, np.int64)
        groups = (longest + WIDE - 1) // WIDE
        nodes = np.zeros((groups, WIDE), np.int64)
        turns = np.zeros((groups, 2, LANES), np.float32)
        buffer = np.zeros((CONTEXTS + 2) * width + LANES, np.float32)
        shift = (-buffer.ctypes.data % ALIGNMENT) // 4
        gained = buffer[shift : shift + CONTEXTS * width]
        mean = buffer[shift + CONTEXTS * width : shift + (CONTEXTS + 1) * width]
        spare = gained.ctypes.data + (CONTEXTS + 1) * row_bytes
        gains = np.empty(CONTEXTS, np.int64)
        for c in range(CONTEXTS):
            gains[c] = gained.ctypes.data + c * row_bytes
        hidden = np.array([mean.ctypes.data])
        totals = loss_totals()
        totals_at, gains_at, contexts_at = totals.ctypes.data, gains.ctypes.data, contexts.ctypes.data

        position, words_read, examples, tiles, loss = start, 0, 0, 0, 0.0
        while position < stop:
            length, read, position, state = read_sentence(stream, position, stop, keep, state, sentence)
            if read < 0:
                return -1, examples, position, loss
            step_rate = decayed(rate, floor, seen + pace * words_read, total)
            words_read += read
            if length < 2:
                continue
            for centre in range(length):
                state = following(state)
                reach = 1 + below(bits(state), window)
                count = 0
                for place in range(max(0, centre - reach), min(length, centre + reach + 1)):
                    if place != centre:
                        contexts[count] = input_base + sentence[place] * row_bytes
                        count += 1
                first, last = offsets[sentence[centre]], offsets[sentence[centre] + 1]
                groups = lay_out(points[first:last], codes[first:last], node_base, row_bytes, spare, nodes, turns)
                if centre + 1 < length:
                    for i in range(offsets[sentence[centre + 1]], offsets[sentence[centre + 1] + 1]):
                        prefetch_row(node_base + points[i] * row_bytes, chunks)
                    if centre + 1 + window < length:
                        prefetch_row(input_base + sentence[centre + 1 + window] * row_bytes, chunks)

                examples += count if skipgram else 1
                steps_at, steps = contexts_at, count
                if not skipgram:
                    mean[:] = 0.0
                    for i in range(count):
                        add_row(hidden[0], contexts[i], chunks)
                    for d in range(width):
                        mean[d] *= _ONE / np.float32(count)
                    steps_at, steps = hidden.ctypes.data, 1
                for i in range(0, steps, CONTEXTS):
                    gained[:] = 0.0
                    pair_at, alone = steps_at + 8 * i, i + 1 == steps
                    for t in range(groups):
                        nodes_at, turns_at = nodes.ctypes.data + 8 * WIDE * t, turns.ctypes.data + 8 * LANES * t
                        wide = last - first - WIDE * t > NARROW
                        if alone and wide:  # a tile's sizes are literals
                            tree_tile(pair_at, gains_at, nodes_at, turns_at, step_rate, totals_at, 1, WIDE, chunks)
                        elif alone:
                            tree_tile(pair_at, gains_at, nodes_at, turns_at, step_rate, totals_at, 1, NARROW, chunks)
                        elif wide:
                            tree_tile(pair_at, gains_at, nodes_at, turns_at, step_rate, totals_at, 2, WIDE, chunks)
                        else:
                            tree_tile(pair_at, gains_at, nodes_at, turns_at, step_rate, totals_at, 2, NARROW, chunks)
                    tiles += groups
                    if skipgram:
                        for c in range(1 if alone else CONTEXTS):
                            add_row(contexts[i + c], gains[c], chunks)
                if not skipgram:
                    for i in range(count):
                        add_row(contexts[i], gains[0], chunks)
                if tiles >= FLUSH:
                    loss += flush(totals)
                    tiles = 0
        return words_read, examples, position, loss + flush(totals)

    return cached(run, *SOURCES)
