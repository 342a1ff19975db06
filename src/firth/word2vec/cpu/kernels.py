"""Skip-gram and CBOW over a stretch of the id stream: subsample, draw windows and noise, hand tiles their rows.

Random numbers are splitmix64: the state is a counter, a draw is the counter well mixed. The chances of a
centre are drawn one or two centres early: the tile of a centre asks for rows of a later one, which are then on their
way from memory.

Threads share the matrices without locks (Recht et al., 2011), except for the rows of the most frequent words: of
these each thread has copies, whose gains it adds to the matrix now and then (see `OWN_BYTES`).
"""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit

from firth.training.compile_cache import cached
from firth.training.splitmix import bits, following
from firth.word2vec.cpu import SOURCES
from firth.word2vec.cpu.bag_tile import bag_tile
from firth.word2vec.cpu.progress import FLUSH, decayed, flush, loss_totals
from firth.word2vec.cpu.reading import RING, draw_centre, noise_word, read_sentence
from firth.word2vec.cpu.row_code import exchange, prefetch_row
from firth.word2vec.cpu.rows import has_repeat, merge, row_of, separate
from firth.word2vec.cpu.tile import tile, tile_and_prefetch
from firth.word2vec.matrices import ALIGNMENT
from firth.word2vec.sampling import SENTENCE

AHEAD_BYTES = 8192
"""Rows that are asked for ahead of their use take about so much, a part of the CPU's nearest cache."""

OWN_BYTES = 1 << 19
"""With several threads, each has copies of the first rows of each matrix; those of all threads take about so many
bytes. They are the most frequent words' rows, which all threads change all the time, and a row that another CPU has
changed is slow to come (docs/decisions/0009)."""

EXCHANGE = 1 << 15
"""Words that all threads together read between two exchanges of these copies with the matrix. As this and the bytes
are of all threads together, more of them neither exchange more nor know less of each other."""

Kernel = Callable[..., tuple[int, int, int, float]]
"""What `kernel` returns."""


@cache
def kernel(model: str, chunks: int, negatives: int) -> Kernel:  # noqa: PLR0915 - the kernel is inside
    """The compiled kernel of `model` for rows of `chunks` · 16 floats; compiled at its first call, then kept on disk.

    Its closure holds integers only: numba can then name the compiled code by them.

    Called with (stream, start, stop, input, output, keep, thresholds, others, window, rate, floor, seen, pace, total,
    state): the int32 ids from `start` to `stop`; both matrices (`matrices.aligned`); thresholds of subsampling and of
    the noise's alias table; the learning rate `rate`, decayed to max(`floor`, 1 − words / `total`) of it, where words
    are `seen` ones and `pace` for each one read here, the number of threads; the generator's state.
    Returns (words read, examples, position, summed loss); words read is −1 if the id at `position` is invalid.
    """
    outputs = negatives + 1
    row_bytes = chunks * ALIGNMENT
    own_rows = OWN_BYTES // row_bytes
    lead = max(1, min(RING - 2, AHEAD_BYTES // ((outputs + 1) * row_bytes)))  # centres
    skipgram = model == "skipgram"

    @njit(nogil=True, error_model="numpy")
    def run(  # noqa: PLR0912, PLR0915 - one function, so that its closure holds integers only
        stream, start, stop, inputs, outputs_matrix, keep, thresholds, others,
        window, rate, floor, seen, pace, total, state,
    ):  # fmt: skip
        input_base = inputs.ctypes.data
        output_base = outputs_matrix.ctypes.data
        sentence = np.empty(SENTENCE, np.int64)
        noise = np.empty(RING * negatives, np.int64)  # of the centres from this one to the last one drawn
        reaches = np.empty(RING, np.int64)  # of their windows
        again = np.empty(negatives, np.int64)  # noise of one centre while it is drawn again
        rows = np.empty(2 * outputs, np.int64)  # addresses of positive and noise, and room for `separate`
        near = np.empty(SENTENCE + window + 1, np.int64)  # addresses of the sentence's input rows, and room behind
        contexts = np.empty(2 * window, np.int64)
        coming = np.full(outputs + 1, input_base, np.int64)  # addresses of the rows to ask for
        pair = np.empty(4, np.int64)
        own = min(own_rows // pace, len(keep)) if pace > 1 else 0
        buffer = np.zeros((2 * outputs + 5 + 4 * own) * row_bytes + ALIGNMENT, np.uint8)
        scratch = (buffer.ctypes.data + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        pair_copies = scratch + 2 * outputs * row_bytes
        mean = pair_copies + 4 * row_bytes
        own_input = mean + row_bytes
        own_output = own_input + own * row_bytes
        old_input = own_output + own * row_bytes
        old_output = old_input + own * row_bytes
        exchange(input_base, own_input, old_input, own * chunks)
        exchange(output_base, own_output, old_output, own * chunks)
        exchanged = 0
        totals = loss_totals()
        totals_at = totals.ctypes.data
        rows_at = rows.ctypes.data
        contexts_at = contexts.ctypes.data
        coming_at = coming.ctypes.data
        pair_at = pair.ctypes.data

        position, words_read, examples, tiles, loss = start, 0, 0, 0, 0.0
        while position < stop:
            length, read, position, state = read_sentence(stream, position, stop, keep, state, sentence)
            if read < 0:
                return -1, examples, position, loss
            step_rate = decayed(rate, floor, seen + pace * words_read, total)
            words_read += read
            if words_read - exchanged >= EXCHANGE // pace:
                exchange(input_base, own_input, old_input, own * chunks)
                exchange(output_base, own_output, old_output, own * chunks)
                exchanged = words_read
            if length < 2:
                continue
            for place in range(length):
                near[place] = row_of(sentence[place], own, own_input, input_base, row_bytes)
            for place in range(length, length + window + 1):
                near[place] = input_base
            for j in range(negatives):
                state = following(state)
                noise[j] = noise_word(bits(state), thresholds, others)
            for place in range(min(length, window + lead)):
                prefetch_row(near[place], chunks)
            for centre in range(-lead, length):
                drawn = centre + lead
                if drawn < length:
                    state = draw_centre(
                        drawn, length, sentence, noise, again, reaches, window, thresholds, others, state
                    )
                    slot = drawn % RING * negatives
                    coming[0] = row_of(sentence[drawn], own, own_output, output_base, row_bytes)
                    for j in range(negatives):
                        coming[1 + j] = row_of(noise[slot + j], own, own_output, output_base, row_bytes)
                    coming[outputs] = near[drawn + window]
                if centre < 0:
                    for j in range(outputs):
                        prefetch_row(coming[j], chunks)
                    continue
                slot = centre % RING * negatives
                rows[0] = rows[outputs] = row_of(sentence[centre], own, own_output, output_base, row_bytes)
                for j in range(negatives):
                    rows[1 + j] = row_of(noise[slot + j], own, own_output, output_base, row_bytes)
                    rows[1 + outputs + j] = rows[1 + j]
                repeated = has_repeat(rows, outputs)
                reach = reaches[centre % RING]
                before = min(centre, reach)
                count = before + min(length - 1 - centre, reach)
                for i in range(window):  # as often for every centre: else the end would be mispredicted
                    contexts[i] = near[centre - before + i]
                for i in range(window):
                    contexts[before + i] = near[centre + 1 + i]

                if skipgram:
                    examples += count
                    first = 0
                    while first < count:
                        if repeated:
                            separate(rows, outputs, scratch, chunks)
                        if first + 1 == count:
                            tile(contexts_at + 8 * first, rows_at, step_rate, totals_at, 1, outputs, chunks)
                        elif contexts[first] != contexts[first + 1]:
                            if first:
                                tile(contexts_at + 8 * first, rows_at, step_rate, totals_at, 2, outputs, chunks)
                            else:
                                tile_and_prefetch(
                                    contexts_at, rows_at, step_rate, totals_at, coming_at, 2, outputs, chunks
                                )
                        else:
                            pair[0] = pair[1] = pair[2] = pair[3] = contexts[first]
                            separate(pair, 2, pair_copies, chunks)
                            tile(pair_at, rows_at, step_rate, totals_at, 2, outputs, chunks)
                            merge(pair, 2, pair_copies, chunks)
                        if repeated:
                            merge(rows, outputs, scratch, chunks)
                        first += 2
                        tiles += 1
                else:
                    examples += 1
                    if repeated:
                        separate(rows, outputs, scratch, chunks)
                    bag_tile(contexts_at, count, rows_at, coming_at, mean, step_rate, totals_at, outputs, chunks)
                    if repeated:
                        merge(rows, outputs, scratch, chunks)
                    tiles += 1
                if tiles >= FLUSH:
                    loss += flush(totals)
                    tiles = 0
        exchange(input_base, own_input, old_input, own * chunks)
        exchange(output_base, own_output, old_output, own * chunks)
        buffer[0] = 0  # numba frees an array after its last use, and tiles only know its address
        return words_read, examples, position, loss + flush(totals)

    return cached(run, *SOURCES)
