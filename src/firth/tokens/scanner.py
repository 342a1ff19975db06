"""UTF-8 bytes in, word codes out: the compiled scanner, which looks words up in a table of `hashing`."""

# The functions below are compiled: numba knows their types, annotations would only repeat them.
# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from firth.tokens import hashing
from firth.tokens.hashing import AT, COUNT, FACTOR, FREE, HALF, LENGTH, ONE, SEED, append, find, mixed, rebuild
from firth.training.compile_cache import cached

APOSTROPHE = 39
LINE_END = 10

MULTIBYTE = 1
"""What the table of single bytes holds for the first byte of a longer character."""

_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)


@njit
def held_out(line, seed, limit):
    """Whether the line with this number is held out: its hash is below `limit` of 2^62."""
    return np.int64(mixed(np.uint64(line) ^ mixed(np.uint64(seed) + FACTOR)) >> np.uint64(2)) < limit


@njit
def push(unit, at, length, packed, start, value, arena):
    """Write one byte behind the `length` bytes of a word at `arena[at]`.

    `packed` holds the bytes since the last full eight, `start` the first full eight, `value` the hash of all full ones.
    """
    arena[at + length] = unit
    packed |= np.uint64(unit) << np.uint64(8 * (length & 7))
    length += 1
    if length & 7 == 0:
        if length == 8:
            start = packed
        value = (value ^ packed) * FACTOR
        value ^= value >> HALF
        packed = np.uint64(0)
    return length, packed, start, value


@njit
def load_eight(data, position):
    """Eight bytes as one number, the first byte lowest; compiled to one instruction."""
    at = np.uint64(position)  # an unsigned index needs no look whether it counts from the end
    block = np.uint64(data[at])
    for i in range(1, 8):
        block |= np.uint64(data[at + np.uint64(i)]) << np.uint64(8 * i)
    return block


@njit
def store_eight(block, arena, position):
    """The reverse of `load_eight`."""
    at = np.uint64(position)
    for i in range(8):
        arena[at + np.uint64(i)] = np.uint8(block >> np.uint64(8 * i))


@njit
def between(bytes_, first, last):
    """The highest bit of each byte (all below 0x80) that lies from `first` to `last`; the other bits mean nothing."""
    return (bytes_ + np.uint64(0x80 - first) * _ONES) & ~(bytes_ + np.uint64(0x7F - last) * _ONES)


@njit
def fold_eight(block, lowercase, zeros):
    """How many bytes from the lowest on are ASCII letters or digits, and these bytes as words have them, 0 above.

    Works on eight bytes at once, without a branch. `lowercase` (0x20 in each byte, or 0) is set in letters,
    `zeros` (0x0f in each byte, or 0) is cleared in digits.
    """
    low = block & ~_HIGH
    letters = between(low | (np.uint64(0x20) * _ONES), 0x61, 0x7A) & ~block & _HIGH
    digits = between(low, 0x30, 0x39) & ~block & _HIGH
    stop = (letters | digits) ^ _HIGH
    lowest = stop & (~stop + ONE)
    inside = (lowest >> np.uint64(7)) - ONE  # all bits of the bytes before the first that stops; all, where none does
    folded = (block | ((letters >> np.uint64(2)) & lowercase)) & ~((digits >> np.uint64(7)) * np.uint64(0x0F) & zeros)
    return np.int64(((inside & _ONES) * _ONES) >> np.uint64(56)), folded & inside


@njit
def read_character(data, position, end, table):
    """What `table` holds for the character of several bytes at `data[position]`, and how many bytes it has."""
    byte = np.int64(data[position])
    if byte < 0xE0:
        width, point = 2, byte & 0x1F
    elif byte < 0xF0:
        width, point = 3, byte & 0x0F
    else:
        width, point = 4, byte & 0x07
    if position + width > end:
        return np.int64(0), 1
    for i in range(1, width):
        point = (point << 6) | (np.int64(data[position + i]) & 0x3F)
    return (np.int64(table[point]) if point < len(table) else np.int64(0)), width


@njit(nogil=True)
def scan(data, single, table, line, seed, limit, slots, used, size, entries, arena, codes, held):  # noqa: PLR0912, PLR0915
    """Cut `data`, UTF-8 lines, into words and write their entries to `codes`, 0 behind each line.

    The lines that `held_out` picks go to `held` instead and are not counted; `line` is the number of the first one.
    `data` must end with a blank or a line end. `table` is a `character_table`, `single` (256 uint8) the same for single
    bytes. The table of `size` entries, with the first `used` slots in use, must have room for the longest possible
    outcome; it takes more slots into use as it grows. Returns (entries, slots used, codes written, codes held out).
    """
    written = kept_back = 0
    end = len(data)
    mask = np.uint64(used - 1)
    holding = held_out(line, seed, limit)
    lowercase = np.uint64(single[65] ^ 65) * _ONES
    zeros = np.uint64(0x0F if single[57] == 48 else 0) * _ONES
    pending = False  # an apostrophe was read, which is part of the word if a letter follows
    at = entries[size - 1, AT] + entries[size - 1, LENGTH]
    length = 0
    packed, start, value = FREE, FREE, SEED
    position = 0
    while position < end:
        character = np.int64(single[data[position]])
        if character > APOSTROPHE:
            if pending:
                length, packed, start, value = push(APOSTROPHE, at, length, packed, start, value, arena)
                pending = False
            if length & 7 == 0 and position + 8 <= end:
                count, folded = fold_eight(load_eight(data, position), lowercase, zeros)
                store_eight(folded, arena, at + length)
                position += count
                length += count
                if count == 8:
                    if length == 8:
                        start = folded
                    value = (value ^ folded) * FACTOR
                    value ^= value >> HALF
                    continue
                packed = folded
                character = np.int64(single[data[position]])
            while character > APOSTROPHE:
                length, packed, start, value = push(character, at, length, packed, start, value, arena)
                position += 1
                character = np.int64(single[data[position]])
        if character == MULTIBYTE:
            character, width = read_character(data, position, end, table)
            position += width
            if character > APOSTROPHE:
                if pending:
                    length, packed, start, value = push(APOSTROPHE, at, length, packed, start, value, arena)
                    pending = False
                if character < 0x80:
                    shift, unit = 0, character
                elif character < 0x800:
                    shift, unit = 6, 0xC0 | (character >> 6)
                elif character < 0x10000:
                    shift, unit = 12, 0xE0 | (character >> 12)
                else:
                    shift, unit = 18, 0xF0 | (character >> 18)
                length, packed, start, value = push(unit, at, length, packed, start, value, arena)
                while shift > 0:
                    shift -= 6
                    unit = 0x80 | ((character >> shift) & 0x3F)
                    length, packed, start, value = push(unit, at, length, packed, start, value, arena)
                continue
        else:
            position += 1
        if length > 0:
            if character == APOSTROPHE and not pending:
                pending = True
                continue
            value = mixed(value ^ packed)
            if length < 8:
                start = packed
            entry, slot = find(value, start, arena, at, length, slots, mask, entries, arena)
            if entry < 0:
                entry = size
                append(value, start, at, length, slot, slots, size, entries)
                size += 1
                at += length
                if 2 * size > np.int64(mask) and np.int64(mask) + 1 < len(slots):
                    mask = (mask << ONE) | ONE
                    rebuild(slots, mask, size, entries, arena)
            if holding:
                held[kept_back] = entry
                kept_back += 1
            else:
                codes[written] = entry
                written += 1
                entries[entry, COUNT] += 1
            length = 0
            pending = False
            packed, start, value = FREE, FREE, SEED
        if character == LINE_END:
            if holding:
                held[kept_back] = 0
                kept_back += 1
            else:
                codes[written] = 0
                written += 1
                entries[0, COUNT] += 1
            line += 1
            holding = held_out(line, seed, limit)
    return size, np.int64(mask) + 1, written, kept_back


@njit(nogil=True)
def find_twos(data, pairs, found):
    """Write to `found` where one of the byte `pairs` (uint8, two columns) begins, in order; how many there are.

    Blocks without any, which is nearly all of a text, are passed over with vector instructions.
    """
    size = 0
    for start in range(0, len(data) - 1, 4096):
        stop = min(start + 4096, len(data) - 1)
        block = data[start : stop + 1]
        met = False
        for pair in range(len(pairs)):
            first, second = pairs[pair]
            for i in range(len(block) - 1):
                met |= (block[i] == first) & (block[i + 1] == second)
        if met:
            for i in range(start, stop):
                for pair in range(len(pairs)):
                    if size < len(found) and data[i] == pairs[pair, 0] and data[i + 1] == pairs[pair, 1]:
                        found[size] = i
                        size += 1
    return size


scan = cached(scan, __file__, hashing.__file__)
find_twos = cached(find_twos, __file__)
