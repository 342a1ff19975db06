"""Instances, compiled: which sentences go together, in which order, cut how, and which of their tokens are masked.

Chance is counter-based (`training.splitmix`): every decision is a pure function of the seed, the epoch and the number
of a document or of an instance, whatever was computed before it and on which thread. `reference` says the same in
plain Python.
"""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from firth.training import splitmix
from firth.training.compile_cache import cached
from firth.training.splitmix import bits, following

ROUNDS = 6
"""Of the Feistel network behind `permuted`."""

_HIGH = np.uint64(32)
_ONE = np.uint64(1)


def _compiled(function):
    return cached(njit(nogil=True, error_model="numpy")(function), __file__, splitmix.__file__)


@njit
def key_of(base, number):
    """The generator's state for `number` under `base`: one more part of `splitmix.stream_start`'s key."""
    return bits(following(base) + np.uint64(number))


@njit
def below(draw, limit):
    """A number from 0 to `limit` − 1 (`limit` below 2³²) from 64 random bits."""
    return np.int64(((draw >> _HIGH) * np.uint64(limit)) >> _HIGH)


@njit
def target_length(state, longest, short):
    """How many tokens the next chunk aims at: `longest`, or rarely anything from 2 on. Returns (target, state)."""
    state = following(state)
    if (bits(state) >> _HIGH) >= short:
        return longest, state
    state = following(state)
    return 2 + below(bits(state), longest - 1), state


@_compiled
def plan_pairs(sentences, documents, base, longest, short, firsts, shapes):
    """Cut documents into chunks of sentences, each of them into A and B; the paper's `create_pretraining_data`.

    `firsts` (chunks,) takes each chunk's first sentence, `shapes` (chunks, 3) the sentences of A, those of B (0 for a
    random B) and the target in tokens; empty ones take nothing: chunks are only counted. Where B is random, the
    sentences behind A begin the next chunk. Returns how many chunks there are.

    A chunk of one sentence can only have a random B. These are made up for: after every two of them, the next coin
    that falls on "random" is turned, so that half of all pairs are random (section 3.1).
    """
    count = 0
    forced = 0
    for document in range(len(documents) - 1):
        state = key_of(base, document)
        first, end = documents[document], documents[document + 1]
        while first < end:
            target, state = target_length(state, longest, short)
            stop = first + 1
            while stop < end and sentences[stop] - sentences[first] < target:
                stop += 1
            split, is_random = 1, True
            if stop - first > 1:
                state = following(state)
                split = 1 + below(bits(state), stop - first - 1)
                state = following(state)
                is_random = (bits(state) & _ONE) == _ONE
                if is_random and forced > 1:
                    is_random = False
                    forced -= 2
            else:
                forced += 1
            if len(firsts) > 0:
                firsts[count] = first
                shapes[count, 0] = split
                shapes[count, 1] = 0 if is_random else stop - first - split
                shapes[count, 2] = target
            count += 1
            first = first + split if is_random else stop
    return count


@_compiled
def plan_segments(sentences, documents, base, longest, short, firsts, shapes):
    """Cut documents into stretches of tokens that fill the length: every token is in exactly one.

    As `plan_pairs`; `firsts` takes each chunk's first token, `shapes` its tokens, 0 and the target.
    """
    count = 0
    for document in range(len(documents) - 1):
        state = key_of(base, document)
        first, end = sentences[documents[document]], sentences[documents[document + 1]]
        while first < end:
            target, state = target_length(state, longest, short)
            tokens = min(target, end - first)
            if len(firsts) > 0:
                firsts[count] = first
                shapes[count, 0] = tokens
                shapes[count, 1] = 0
                shapes[count, 2] = target
            count += 1
            first += tokens
    return count


@njit
def permuted(number, size, key):
    """Where `number` of `size` goes in the order of `key`.

    A Feistel network on the next power of four, walked until it comes back into range.
    """
    half = _ONE
    while (_ONE << (half + half)) < np.uint64(size):
        half += _ONE
    low = (_ONE << half) - _ONE
    value = np.uint64(number)
    while True:
        left, right = value >> half, value & low
        for step in range(ROUNDS):
            left, right = right, left ^ (bits(bits(key + np.uint64(step)) + right) & low)
        value = (left << half) | right
        if value < np.uint64(size):
            return np.int64(value)


@_compiled
def spans_of_pairs(sentences, documents, firsts, shapes, order_key, base, indexes, longest, spans, labels):
    """Where the tokens of A and B of each of `indexes` stand, after truncation.

    Fills spans (n, 4): first token and tokens of A, first token and tokens of B; labels (n,): 1 where B is random.
    """
    for row in range(len(indexes)):
        chunk = permuted(indexes[row], len(firsts), order_key)
        first = firsts[chunk]
        split, follows, target = np.int64(shapes[chunk, 0]), np.int64(shapes[chunk, 1]), np.int64(shapes[chunk, 2])
        state = key_of(base, indexes[row])
        a_start, a_stop = sentences[first], sentences[first + split]
        if follows > 0:
            b_start, b_stop = a_stop, sentences[first + split + follows]
        else:
            own = np.searchsorted(documents, first, side="right") - 1
            state = following(state)
            other = below(bits(state), len(documents) - 2)
            if other >= own:
                other += 1
            state = following(state)
            start = documents[other] + below(bits(state), documents[other + 1] - documents[other])
            stop = start + 1
            wanted = target - (a_stop - a_start)
            while stop < documents[other + 1] and sentences[stop] - sentences[start] < wanted:
                stop += 1
            b_start, b_stop = sentences[start], sentences[stop]
        while a_stop - a_start + b_stop - b_start > longest:
            state = following(state)
            at_front = (bits(state) & _ONE) == _ONE
            if a_stop - a_start > b_stop - b_start:
                if at_front:
                    a_start += 1
                else:
                    a_stop -= 1
            elif at_front:
                b_start += 1
            else:
                b_stop -= 1
        spans[row, 0], spans[row, 1] = a_start, a_stop - a_start
        spans[row, 2], spans[row, 3] = b_start, b_stop - b_start
        labels[row] = 1 if follows == 0 else 0


@_compiled
def spans_of_segments(firsts, shapes, order_key, indexes, spans):
    """As `spans_of_pairs` for one segment: B is empty."""
    for row in range(len(indexes)):
        chunk = permuted(indexes[row], len(firsts), order_key)
        spans[row, 0], spans[row, 1], spans[row, 2], spans[row, 3] = firsts[chunk], shapes[chunk, 0], 0, 0


@_compiled
def gather(shard, start, vocabulary, spans, ids):
    """Copy the spans that lie in `shard`, whose first token is number `start`, behind [CLS] and [SEP] of their rows.

    Returns how many ids the vocabulary does not have (they are not copied).
    """
    stop, invalid = start + len(shard), 0
    for row in range(len(spans)):
        place = 1
        for side in range(0, 4, 2):
            first, tokens = spans[row, side], spans[row, side + 1]
            if tokens > 0 and start <= first < stop:
                for i in range(tokens):
                    token = np.int64(shard[first - start + i])
                    if token >= vocabulary:
                        invalid += 1
                    else:
                        ids[row, place + i] = token
            place += tokens + 1
    return invalid


@njit
def candidates(row, a, b, maskable, places):
    """Fill `places` with the positions that may be chosen; special tokens in the text only where there is nothing else.

    Returns how many there are.
    """
    count = 0
    for special in (False, True):
        if count == 0:
            for place in range(1, a + b + 2):
                if place != a + 1 and (special or maskable[row[place]]):
                    places[count] = place
                    count += 1
    return count


@njit
def word_bounds(row, places, count, continues, whole_words, words):
    """Fill `words` with where in `places` each word begins, and with `count` at the end.

    Without `whole_words` each piece is a word on its own. Returns how many there are.
    """
    found = 0
    for i in range(count):
        inside = whole_words and i > 0 and places[i] == places[i - 1] + 1 and continues[row[places[i]]]
        if not inside:
            words[found] = i
            found += 1
    words[found] = count
    return found


@njit
def choose_words(places, words, count, wanted, order, chosen, state):
    """Mark the positions of words in random order until `wanted` are; one that would be too much is passed over.

    Where every word is longer than `wanted`, the first in that order is taken. Returns the generator's state.
    """
    for k in range(count):
        order[k] = k
    taken = 0
    for k in range(count):
        if taken == wanted:
            break
        state = following(state)
        other = k + below(bits(state), count - k)
        order[k], order[other] = order[other], order[k]
        size = words[order[k] + 1] - words[order[k]]
        if taken + size <= wanted:
            for i in range(words[order[k]], words[order[k] + 1]):
                chosen[places[i]] = True
            taken += size
    if taken == 0:
        for i in range(words[order[0]], words[order[0] + 1]):
            chosen[places[i]] = True
    return state


@_compiled
def mask_words(
    ids, spans, bases, indexes, maskable, continues, ordinary, rate, mask_token, mask_share, random_share, whole_words,
    predicted, labels,
):  # fmt: skip
    """Section 3.1, task 1: choose `rate` of each row's tokens, at least one; put in [MASK], a random token or nothing.

    `maskable` (vocabulary,) is False for special tokens, `ordinary` lists the ids that may be put in; shares are out of
    2³². Changes `ids` (n, L); fills `predicted` with flat positions, ascending, and `labels` with what stood there.
    Returns how many there are.
    """
    length = ids.shape[1]
    places, order = np.empty(length, np.int64), np.empty(length, np.int64)
    words = np.empty(length + 1, np.int64)
    chosen = np.zeros(length, np.bool_)
    total = 0
    for row in range(len(ids)):
        count = candidates(ids[row], spans[row, 1], spans[row, 3], maskable, places)
        found = word_bounds(ids[row], places, count, continues, whole_words, words)
        wanted = max(1, np.int64(rate * count + 0.5))
        state = choose_words(places, words, found, wanted, order, chosen, key_of(bases[row], indexes[row]))
        for i in range(count):
            place = places[i]
            if not chosen[place]:
                continue
            chosen[place] = False
            predicted[total] = row * length + place
            labels[total] = ids[row, place]
            total += 1
            state = following(state)
            draw = bits(state) >> _HIGH
            if draw < mask_share:
                ids[row, place] = mask_token
            elif draw < mask_share + random_share:
                state = following(state)
                ids[row, place] = ordinary[below(bits(state), len(ordinary))]
    return total


@_compiled
def follow_words(ids, spans, maskable, predicted, labels):
    """Section 5.1, "LTR": every token that masking may choose is predicted, from where the token before it stands.

    Fills `predicted` with flat positions of `ids` (n, L), ascending, and `labels` with the tokens behind them; returns
    how many there are.
    """
    length = ids.shape[1]
    places = np.empty(length, np.int64)
    total = 0
    for row in range(len(ids)):
        for i in range(candidates(ids[row], spans[row, 1], spans[row, 3], maskable, places)):
            predicted[total] = row * length + places[i] - 1
            labels[total] = ids[row, places[i]]
            total += 1
    return total
