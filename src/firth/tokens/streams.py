"""The last step: provisional codes become the id stream, documents in order or shuffled, rare words left out."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
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
    codes: Ids, bounds: NDArray[np.int64], order: NDArray[np.int64], final: Ids, path: Path, threads: int = 1
) -> tuple[dict[str, Any], str]:
    """Write the ids of the documents `order` of `codes` to `path`, little-endian int32.

    `final[code]` is a word's id or `OUTSIDE`. Sentences without a word are left out. With two `threads` or more, one
    writes what another has gathered.

    Returns:
        Words and sentences written, the number of words left out and their share; the sha256 of the file.
    """
    words = sentences = outside = 0
    document = position = 0
    last = END
    digest = hashlib.sha256()
    out, other = np.empty((2, PIECE), dtype=np.int32)
    with path.open("wb") as stream, ThreadPoolExecutor(1) as pool:

        def write(ids: Ids) -> None:
            data = ids.astype("<i4", copy=False).data
            digest.update(data)
            stream.write(data)

        written_before: Future[None] | None = None
        while document < len(order):
            document, position, written, ends, left_out = _compiled_gather(
                codes, bounds, order, document, position, final, last, out
            )
            if written:
                last = int(out[written - 1])
            words += written - ends
            sentences += ends
            outside += left_out
            if threads == 1:
                write(out[:written])
                continue
            if written_before is not None:
                written_before.result()
            written_before = pool.submit(write, out[:written])
            out, other = other, out
        if written_before is not None:
            written_before.result()
    read = words + outside
    return {
        "words": words,
        "sentences": sentences,
        "out_of_vocabulary_words": outside,
        "out_of_vocabulary_share": round(outside / read, 6) if read else 0.0,
    }, digest.hexdigest()
