"""Skip-gram and CBOW with negative sampling whose input vectors are made of n-grams, over a stretch of the id stream.

A word's input vector is the mean of its own row and of its n-grams' rows. As in fastText (and gensim), each of these
rows gets the whole gradient of the mean, not its share 1/n: the mean then moves by just what a whole-word vector would
move by, and the learning rate means the same with and without subwords.

This makes the work small. A vector that is composed once and moved by all its gradients ends where it would have ended,
had every gradient gone to the rows at once and been read back. So each position of a sentence has a private vector
while it is in reach of the centre: composed when it comes into the window's farthest reach, used as a context by up to
2 · `window` centres, and written back (what it gained is added to each of its rows) when it has left. Rows are read and
written once a word instead of once a pair. Two words in reach at the same time that share n-grams see each other's
gradients only after that, like two threads; a row that a word has twice gets its gradient twice. No gradient is lost.
With many such words and many centres they would together go too far before they see it: in windows above 10 a vector is
written back and composed anew after some centres (`USES`).

Sentences, draws, their order and the tiles are those of `kernels`; CBOW's mean is over all rows of all contexts, as
in fastText: a context weighs as much as it has rows.
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
from firth.word2vec.cpu.reading import below, noise_word, read_sentence, replace_positive
from firth.word2vec.cpu.row_code import prefetch_row
from firth.word2vec.cpu.rows import has_repeat, merge, separate
from firth.word2vec.cpu.subword_tile import give_gain, mean_to
from firth.word2vec.cpu.tile import tile
from firth.word2vec.matrices import ALIGNMENT
from firth.word2vec.sampling import SENTENCE

USES = 512
"""Positions in reach times the centres between two write-backs of each is at most this, but a centre at least."""


@njit
def locate(places, slot, own, ngram_base, rows, first, last, row_bytes):
    """Note in `places[slot]` the addresses of a word's rows: its own, then those of its n-grams. Returns how many."""
    places[slot, 0] = own
    for i in range(first, last):
        places[slot, 1 + i - first] = ngram_base + np.int64(rows[i]) * row_bytes
    return 1 + last - first


@cache
def subword_kernel(model: str, chunks: int, negatives: int) -> Kernel:  # noqa: PLR0915 - the kernel is inside
    """The compiled kernel of `model` for rows of `chunks` · 16 floats, as `kernels.kernel`.

    Called with (stream, start, stop, input, ngrams, output, rows, offsets, most, keep, thresholds, others, window,
    rate, floor, seen, pace, total, state): word i has the rows `rows[offsets[i] : offsets[i + 1]]` of `ngrams`, at most
    `most` and all of which exist (`subwords.SubwordRows`); the rest as for `kernels.kernel`, and so is what it returns.
    """
    outputs = negatives + 1
    row_bytes = chunks * ALIGNMENT
    skipgram = model == "skipgram"

    @njit(nogil=True, error_model="numpy")
    def run(  # noqa: PLR0912, PLR0915 - one function, so that its closure holds integers only
        stream, start, stop, inputs, ngrams, outputs_matrix, grams, offsets, most, keep, thresholds, others,
        window, rate, floor, seen, pace, total, state,
    ):  # fmt: skip
        input_base = inputs.ctypes.data
        ngram_base = ngrams.ctypes.data
        output_base = outputs_matrix.ctypes.data
        sentence = np.empty(SENTENCE, np.int64)
        ahead = np.empty(negatives, np.int64)  # noise of the next centre
        words = np.empty(outputs, np.int64)  # positive and noise of this one
        rows = np.empty(2 * outputs, np.int64)  # their addresses, and room for `separate`
        period = max(1, USES // (2 * window + 1))  # centres after which a vector is written back and composed anew
        span = 2 * window + 2  # positions in reach, and the next one; position p has slot p % span
        places = np.empty((span, most + 1), np.int64)  # addresses of each slot's rows
        place_bytes = 8 * (most + 1)
        sizes = np.zeros(span, np.int64)  # how many
        ones = np.ones(most + 1, np.float32)
        contexts = np.empty(span, np.int64)  # addresses of their vectors
        weights = np.empty(span, np.float32)  # their numbers of rows
        buffer = np.zeros((2 * span + 2 + 2 * outputs) * row_bytes + ALIGNMENT, np.uint8)
        vectors = (buffer.ctypes.data + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT  # of each slot, now and as composed
        mean = vectors + 2 * span * row_bytes
        scratch = mean + 2 * row_bytes
        hidden = np.full(1, mean, np.int64)  # where CBOW's hidden vector is
        totals = loss_totals()
        totals_at = totals.ctypes.data
        rows_at = rows.ctypes.data
        contexts_at = contexts.ctypes.data
        weights_at = weights.ctypes.data
        places_at = places.ctypes.data
        ones_at = ones.ctypes.data
        hidden_at = hidden.ctypes.data

        position, words_read, examples, tiles, loss = start, 0, 0, 0, 0.0
        while position < stop:
            length, read, position, state = read_sentence(stream, position, stop, keep, state, sentence)
            if read < 0:
                return -1, examples, position, loss
            step_rate = decayed(rate, floor, seen + pace * words_read, total)
            words_read += read
            if length < 2:
                continue
            located = composed = 0  # positions before these have their rows known, and their vectors
            for centre in range(-1, length):
                if centre >= 0:
                    words[0] = sentence[centre]
                    for j in range(negatives):
                        words[1 + j] = ahead[j]
                    state = replace_positive(words[1:], negatives, words[0], thresholds, others, state)
                if centre + 1 < length:
                    for j in range(negatives):
                        state = following(state)
                        ahead[j] = noise_word(bits(state), thresholds, others)
                        prefetch_row(output_base + ahead[j] * row_bytes, chunks)
                    while located < min(length, centre + window + 2):
                        word, slot = sentence[located], located % span
                        own = input_base + word * row_bytes
                        sizes[slot] = locate(
                            places, slot, own, ngram_base, grams, offsets[word], offsets[word + 1], row_bytes
                        )
                        for i in range(sizes[slot]):
                            prefetch_row(places[slot, i], chunks)
                        located += 1
                if centre < 0:
                    continue
                while composed < min(length, centre + window + 1):
                    slot = composed % span
                    at = vectors + 2 * slot * row_bytes
                    size = sizes[slot]
                    mean_to(at, at + row_bytes, places_at + slot * place_bytes, ones_at, size, np.float32(size), chunks)
                    composed += 1
                for j in range(outputs):
                    rows[j] = output_base + words[j] * row_bytes
                    rows[outputs + j] = rows[j]
                repeated = has_repeat(words, outputs)
                state = following(state)
                reach = 1 + below(bits(state), window)
                count = 0
                for place in range(max(0, centre - reach), min(length, centre + reach + 1)):
                    if place != centre:
                        contexts[count] = vectors + 2 * (place % span) * row_bytes
                        weights[count] = sizes[place % span]
                        count += 1

                if skipgram:
                    examples += count
                    first = 0
                    while first < count:
                        if repeated:
                            separate(rows, outputs, scratch, chunks)
                        if first + 1 == count:
                            tile(contexts_at + 8 * first, rows_at, step_rate, totals_at, 1, outputs, chunks)
                        else:
                            tile(contexts_at + 8 * first, rows_at, step_rate, totals_at, 2, outputs, chunks)
                        if repeated:
                            merge(rows, outputs, scratch, chunks)
                        first += 2
                        tiles += 1
                else:
                    examples += 1
                    mean_to(mean, mean + row_bytes, contexts_at, weights_at, count, weights[:count].sum(), chunks)
                    if repeated:
                        separate(rows, outputs, scratch, chunks)
                    tile(hidden_at, rows_at, step_rate, totals_at, 1, outputs, chunks)
                    if repeated:
                        merge(rows, outputs, scratch, chunks)
                    give_gain(mean, mean + row_bytes, contexts_at, count, chunks)
                    tiles += 1
                if tiles >= FLUSH:
                    loss += flush(totals)
                    tiles = 0

                # What has left the reach of all centres to come; at the end of the sentence, all that is left.
                for place in range(max(0, centre - window), length if centre + 1 == length else centre - window + 1):
                    slot = place % span
                    at = vectors + 2 * slot * row_bytes
                    give_gain(at, at + row_bytes, places_at + slot * place_bytes, sizes[slot], chunks)
                if period <= 2 * window and centre + 1 < length:
                    for place in range(max(0, centre - window + 1), composed):
                        if (centre + place) % period == 0:
                            slot = place % span
                            at = vectors + 2 * slot * row_bytes
                            size, rows_of = sizes[slot], places_at + slot * place_bytes
                            give_gain(at, at + row_bytes, rows_of, size, chunks)
                            mean_to(at, at + row_bytes, rows_of, ones_at, size, np.float32(size), chunks)
        buffer[0] = ones[0] = hidden[0] = 0  # numba frees an array after its last use, and tiles know its address only
        return words_read, examples, position, loss + flush(totals)

    return cached(run, *SOURCES)
