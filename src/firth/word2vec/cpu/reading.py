"""From the id stream to a centre's chances: sentences with frequent words left out, noise, and reach of the window.

Random numbers are splitmix64: the state is a counter, a draw is the counter well mixed. `plain.examples` says the same
in plain Python.
"""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from firth.training.splitmix import bits, following
from firth.word2vec.sampling import REDRAWS

RING = 4
"""Centres whose chances are kept, from the one that is worked on: a power of two."""

_HIGH = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_SIGN = np.int64(63)


@njit
def below(draw, size):
    """An integer from 0 to `size` − 1 from the upper half of 64 random bits."""
    return np.int64(((draw >> _HIGH) * np.uint64(size)) >> _HIGH)


@njit
def noise_word(draw, thresholds, others):
    """A word of the noise distribution from 64 random bits: the upper half picks the slot, the lower one decides."""
    slot = below(draw, len(thresholds))
    beyond = (np.int64(thresholds[slot]) - np.int64(draw & _LOW)) >> _SIGN  # −1 or 0: a branch would be mispredicted
    return slot ^ ((slot ^ np.int64(others[slot])) & beyond)


@njit
def read_sentence(stream, position, stop, keep, state, sentence):
    """Copy the kept words of the sentence at `position` to `sentence`, up to its end, `stop`, or a full buffer.

    Returns (words kept, words read, next position, state); words read is −1 if an id is outside the vocabulary.
    """
    kept = read = 0
    while position < stop and kept < len(sentence):
        word = stream[position]
        if word < -1 or word >= len(keep):
            return kept, -1, position, state
        position += 1
        if word < 0:
            break
        read += 1
        state = following(state)
        sentence[kept] = word  # stays only if `kept` counts it: a branch would be mispredicted
        kept += 1 + ((np.int64(keep[word]) - np.int64(bits(state) >> _HIGH)) >> _SIGN)
    return kept, read, position, state


@njit
def replace_positive(words, count, positive, thresholds, others, state):
    """Draw again each of `words` that equals the positive. Returns the state."""
    for j in range(count):
        tries = 0
        while words[j] == positive:
            state = following(state)
            if tries < REDRAWS:
                words[j] = noise_word(bits(state), thresholds, others)
            else:
                step = below(bits(state), len(thresholds) - 1)
                words[j] = (positive + 1 + step) % len(thresholds)
            tries += 1
    return state


@njit(forceinline=True)
def draw_centre(centre, length, sentence, noise, again, reaches, window, thresholds, others, state):
    """Settle the noise of `centre`, draw that of the next one and how far the window of `centre` reaches.

    Centre i has slot i % `RING` of `reaches` and of `noise` (slots of `len(again)` words). Returns the state.
    """
    size = len(again)
    slot = centre % RING * size
    positive = sentence[centre]
    same = False
    for j in range(size):
        same |= noise[slot + j] == positive
    if same:
        for j in range(size):
            again[j] = noise[slot + j]
        state = replace_positive(again, size, positive, thresholds, others, state)
        for j in range(size):
            noise[slot + j] = again[j]
    if centre + 1 < length:
        slot = (centre + 1) % RING * size
        for j in range(size):
            state = following(state)
            noise[slot + j] = noise_word(bits(state), thresholds, others)
    state = following(state)
    reaches[centre % RING] = 1 + below(bits(state), window)
    return state
