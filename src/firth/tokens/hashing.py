"""The hash table of words in compiled code: looked up, added to, merged and thinned.

A table is three arrays. Row `i` of `entries` is one word: its first eight bytes as one number (the first byte lowest),
where its bytes begin in `arena`, how many they are, and how often it was met; entry 0 stands for the end of a sentence.
`slots` is the open-addressing index, a power of two long: 0 where free, else the upper half of a word's hash beside its
entry + 1. Most words are found with one look at `slots` and one at `entries`. Equal hashes are not taken for equal
words: all bytes are compared.
"""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from firth.training.compile_cache import cached

START, AT, LENGTH, COUNT = 0, 1, 2, 3
"""Columns of `entries`."""

TOGETHER = 32
"""Words that `merge` looks up together."""

SEED = np.uint64(0xCBF29CE484222325)
FACTOR = np.uint64(0x9E3779B97F4A7C15)
HALF = np.uint64(32)
_UPPER = np.uint64(0xFFFFFFFF00000000)
_ENTRY = np.uint64(0xFFFFFFFF)
ONE = np.uint64(1)
FREE = np.uint64(0)


@njit
def mixed(value):
    """`value` with every bit spread over all others."""
    value ^= value >> HALF
    value *= FACTOR
    value ^= value >> np.uint64(29)
    value *= FACTOR
    return value ^ (value >> HALF)


@njit
def hash_of(arena, start, length):
    """Hash of `length` bytes, eight at a time; the same that `scan` makes as it reads."""
    value = SEED
    packed = np.uint64(0)
    for i in range(length):
        packed |= np.uint64(arena[start + i]) << np.uint64(8 * (i & 7))
        if i & 7 == 7:
            value = (value ^ packed) * FACTOR
            value ^= value >> HALF
            packed = np.uint64(0)
    return mixed(value ^ packed)


@njit
def rebuild(slots, mask, size, entries, arena):
    """Clear the first `mask` + 1 slots and enter the words 1 … `size` − 1 again."""
    slots[: np.int64(mask) + 1] = FREE
    for entry in range(1, size):
        value = hash_of(arena, entries[entry, AT], entries[entry, LENGTH])
        slot = value & mask
        while slots[slot] != FREE:
            slot = (slot + ONE) & mask
        slots[slot] = (value & _UPPER) | np.uint64(entry + 1)


@njit
def find(value, packed, word, start, length, slots, mask, entries, arena):
    """Entry of the word `word[start:start + length]`, or −1, and the slot where the search ended.

    `value` is its hash, `packed` its first eight bytes (no word holds a zero byte: with the length that is exact); the
    first `mask` + 1 slots are in use, and one of them is free.
    """
    slot = value & mask
    tag = value & _UPPER
    while True:
        held = slots[slot]
        if held == FREE:
            return np.int64(-1), slot
        if held & _UPPER == tag:
            entry = (held & _ENTRY) - ONE
            if entries[entry, LENGTH] == length and np.uint64(entries[entry, START]) == packed:
                if length <= 8:
                    return np.int64(entry), slot
                at = entries[entry, AT]
                i = 8
                while i < length and arena[at + i] == word[start + i]:
                    i += 1
                if i == length:
                    return np.int64(entry), slot
        slot = (slot + ONE) & mask


@njit
def append(value, packed, at, length, slot, slots, size, entries):
    """Make entry `size` of the `length` bytes at `arena[at]`, with count 0, in a free slot."""
    entries[size, START] = np.int64(packed)
    entries[size, AT] = at
    entries[size, LENGTH] = length
    entries[size, COUNT] = 0
    slots[slot] = (value & _UPPER) | np.uint64(size + 1)


@njit
def look_ahead(values, words, slots, mask, entries):
    """Read what will probably be needed to find the words with these hashes: the waits for memory then overlap.

    What it returns has no meaning; it must be used, or the compiler leaves the reading out.
    """
    near = np.empty(TOGETHER, np.int64)
    touched = 0
    for i in range(words):
        near[i] = np.int64(slots[values[i] & mask] & _ENTRY)
    for i in range(words):
        touched ^= entries[max(near[i] - 1, 0), COUNT]
    return touched


@njit(nogil=True)
def merge(others, other_entries, other_arena, slots, size, entries, arena, renamed):
    """Add the `others` entries of one table to another that has room for them; `renamed[i]` is where entry i went.

    Returns the size of the larger table and what `look_ahead` returned.
    """
    mask = np.uint64(len(slots) - 1)
    values = np.empty(TOGETHER, np.uint64)
    touched = 0
    renamed[0] = 0
    entries[0, COUNT] += other_entries[0, COUNT]
    end = entries[size - 1, AT] + entries[size - 1, LENGTH]
    for i in range(1, others):
        step = (i - 1) % TOGETHER
        if step == 0:
            words = min(TOGETHER, others - i)
            for j in range(words):
                values[j] = hash_of(other_arena, other_entries[i + j, AT], other_entries[i + j, LENGTH])
            touched ^= look_ahead(values, words, slots, mask, entries)
        start = other_entries[i, AT]
        length = other_entries[i, LENGTH]
        packed = np.uint64(other_entries[i, START])
        value = values[step]
        entry, slot = find(value, packed, other_arena, start, length, slots, mask, entries, arena)
        if entry < 0:
            entry = size
            for j in range(length):
                arena[end + j] = other_arena[start + j]
            append(value, packed, end, length, slot, slots, size, entries)
            size += 1
            end += length
        entries[entry, COUNT] += other_entries[i, COUNT]
        renamed[i] = entry
    return size, touched


@njit(nogil=True)
def drop_rare(below, slots, size, entries, arena, renamed):
    """Take the words with a count under `below` out of the table, in place; the others keep their order.

    `renamed[i]` is the entry that i becomes, −2 for a word that is gone. Returns (size, counted words that are gone,
    their occurrences).
    """
    kept = 1
    words = occurrences = 0
    renamed[0] = 0
    end = entries[0, LENGTH]
    for entry in range(1, size):
        count = entries[entry, COUNT]
        if count < below:
            renamed[entry] = -2
            words += count > 0
            occurrences += count
            continue
        at = entries[entry, AT]
        length = entries[entry, LENGTH]
        for i in range(length):
            arena[end + i] = arena[at + i]
        entries[kept, START] = entries[entry, START]
        entries[kept, AT] = end
        entries[kept, LENGTH] = length
        entries[kept, COUNT] = count
        end += length
        renamed[entry] = kept
        kept += 1
    rebuild(slots, np.uint64(len(slots) - 1), kept, entries, arena)
    return kept, words, occurrences


@njit(nogil=True)
def find_or_add(word, slots, size, entries, arena):
    """Entry of `word` (uint8; added with count 0 if it is new; there must be room), and the size of the table."""
    length = len(word)
    packed = FREE
    for i in range(min(length, 8)):
        packed |= np.uint64(word[i]) << np.uint64(8 * i)
    value = hash_of(word, 0, length)
    entry, slot = find(value, packed, word, 0, length, slots, np.uint64(len(slots) - 1), entries, arena)
    if entry >= 0:
        return entry, size
    end = entries[size - 1, AT] + entries[size - 1, LENGTH]
    for i in range(length):
        arena[end + i] = word[i]
    append(value, packed, end, length, slot, slots, size, entries)
    return size, size + 1


@njit(nogil=True)
def rebuild_slots(slots, size, entries, arena):
    """`rebuild` of all slots, called from Python."""
    rebuild(slots, np.uint64(len(slots) - 1), size, entries, arena)


merge = cached(merge, __file__)
drop_rare = cached(drop_rare, __file__)
find_or_add = cached(find_or_add, __file__)
rebuild_slots = cached(rebuild_slots, __file__)
