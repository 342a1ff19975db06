"""The loop of byte-pair encoding over counted words: the most frequent pair of pieces becomes a piece, again and again.

Of pairs that are equally frequent, that of the earlier pieces goes first: by the first piece's id, then the second's.
Ids begin with the alphabet in the order of its code points, so that neither the order of the text nor a hash decides.
Counts are whole numbers, kept exact by what each merge changes.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

from firth.wordpiece.library import CONTINUES

Heap = list[tuple[int, int]]
"""(-count, both ids in one number); an entry with an old count is mended when it comes up."""

SHIFT = 32
MASK = (1 << SHIFT) - 1


def learn_merges(
    words: list[list[int]],
    counts: list[int],
    pieces: list[str],
    size: int,
    min_count: int,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Append learned pieces to `pieces` until it has `size` of them or no pair occurs `min_count` times.

    Args:
        words: ids of the pieces of each distinct word; merged in place.
        counts: occurrences of each word.
        pieces: the name of each id; a piece that goes on a word starts with `##`.
        size: pieces wanted, those at the start included.
        min_count: rarer pairs are not merged.
        advance: told of each new piece.
    """
    ids = {piece: number for number, piece in enumerate(pieces)}
    pairs: defaultdict[int, int] = defaultdict(int)
    where: defaultdict[int, list[int]] = defaultdict(list)
    for word, symbols in enumerate(words):
        for first, second in pairwise(symbols):
            key = first << SHIFT | second
            pairs[key] += counts[word]
            where[key].append(word)
    heap: Heap = [(-count, key) for key, count in pairs.items() if count >= min_count]
    heapq.heapify(heap)
    while heap and len(pieces) < size:
        negative, key = heapq.heappop(heap)
        count = pairs.get(key, 0)
        if count != -negative:
            if count >= min_count:
                heapq.heappush(heap, (-count, key))
            continue
        first, second = key >> SHIFT, key & MASK
        name = pieces[first] + pieces[second].removeprefix(CONTINUES)
        new = ids.get(name)  # another pair may have made the same piece
        if new is None:
            new = ids[name] = len(pieces)
            pieces.append(name)
            advance(1)
        for grown in _merge(words, counts, where.pop(key), (first, second, new), pairs, where):
            count = pairs[grown]
            if count >= min_count:
                heapq.heappush(heap, (-count, grown))
        del pairs[key]


def _merge(
    words: list[list[int]],
    counts: list[int],
    affected: list[int],
    merge: tuple[int, int, int],
    pairs: dict[int, int],
    where: dict[int, list[int]],
) -> set[int]:
    """Write the merged piece into the affected words and mend the counts of pairs; those that grew."""
    first, second, new = merge
    grown: set[int] = set()
    for word in affected:
        symbols = words[word]
        count = counts[word]
        last = len(symbols) - 1
        at = 0
        while at < last:
            if symbols[at] != first or symbols[at + 1] != second:
                at += 1
                continue
            if at:
                before = symbols[at - 1]
                pairs[before << SHIFT | first] -= count
                key = before << SHIFT | new
                pairs[key] += count
                where[key].append(word)
                grown.add(key)
            if at + 1 < last:
                after = symbols[at + 2]
                pairs[second << SHIFT | after] -= count
                key = new << SHIFT | after
                pairs[key] += count
                where[key].append(word)
                grown.add(key)
            symbols[at : at + 2] = (new,)
            last -= 1
            at += 1
    return grown
