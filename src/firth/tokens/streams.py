"""The last step: provisional codes become the id stream, documents in order or shuffled, rare words left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firth.tokens.counting import OUTSIDE, PIECE
from firth.tokens.store import END, Ids
from firth.training.compile_cache import cached


def _gather(codes, bounds, order, document, position, final, last, out):  # type: ignore[no-untyped-def]  # numba knows the types
    """Write final ids to `out`, from `position` in the `document`-th of `order` on, until all is written or it is full.

    `final[code]` is the id, −1 the end of a sentence, −2 (also for a negative code) a word to leave out; an end without
    a word before it is left out too; `last` is the id written before. Returns (document, position, ids written,
    sentences among them, words left out).
    """
    written = sentences = outside = 0
    while document < len(order):
        start = bounds[order[document]]
        stop = bounds[order[document] + 1]
        for i in range(start + position, stop):
            if written == len(out):
                return document, i - start, written, sentences, outside
            code = codes[i]
            word = final[code] if code >= 0 else OUTSIDE
            if word == OUTSIDE:
                outside += 1
                continue
            if word == END:
                if last == END:
                    continue
                sentences += 1
            out[written] = word
            written += 1
            last = word
        document += 1
        position = 0
    return document, 0, written, sentences, outside


_compiled_gather = cached(njit(nogil=True)(_gather), __file__)


def write_stream(
    codes: Ids, bounds: NDArray[np.int64], order: NDArray[np.int64], final: Ids, path: Path
) -> dict[str, Any]:
    """Write the ids of the documents `order` of `codes` to `path`, little-endian int32.

    `final[code]` is a word's id or `OUTSIDE`. Sentences without a word are left out.

    Returns:
        Words and sentences written, the number of words left out and their share.
    """
    words = sentences = outside = 0
    document = position = 0
    last = END
    out = np.empty(PIECE, dtype=np.int32)
    with path.open("wb") as stream:
        while document < len(order):
            document, position, written, ends, left_out = _compiled_gather(
                codes, bounds, order, document, position, final, last, out
            )
            stream.write(out[:written].astype("<i4", copy=False).data)
            if written:
                last = int(out[written - 1])
            words += written - ends
            sentences += ends
            outside += left_out
    read = words + outside
    return {
        "words": words,
        "sentences": sentences,
        "out_of_vocabulary_words": outside,
        "out_of_vocabulary_share": round(outside / read, 6) if read else 0.0,
    }
