"""How engines share a stretch of the stream among threads, and which random numbers each part starts from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from firth.errors import IntegrityError
from firth.training.splitmix import stream_start
from firth.word2vec.engine import Ids, Result

_TRAIN, _HELDOUT = 0, 1


def parts(start: int, stop: int, threads: int, seed: int, key: tuple[int, int]) -> list[tuple[int, int, int]]:
    """`threads` parts of the ids from `start` to `stop`: (start, stop, state of the generator) of each.

    `key` is (epoch, block): the random numbers of a block are the same whenever it is trained.
    """
    cuts = [start + (stop - start) * i // threads for i in range(threads + 1)]
    return [(cuts[i], cuts[i + 1], stream_start(seed, _TRAIN, *key, i)) for i in range(threads)]


def heldout_state(seed: int) -> int:
    """Where the generator starts for the held-out stream, at every look."""
    return stream_start(seed, _HELDOUT)


def together(results: Iterable[Result]) -> Result:
    """The parts' results as one."""
    done = list(results)
    return Result(sum(r.words for r in done), sum(r.examples for r in done), sum(r.loss for r in done))


def read_only(stream: Ids, start: int, stop: int) -> Ids:
    """The stream in the one form that kernels are compiled for; `start` and `stop` must lie in it."""
    ids = np.ascontiguousarray(np.asarray(stream), dtype="<i4").view()
    ids.flags.writeable = False
    if not 0 <= start <= stop <= len(ids):
        raise ValueError(f"[{start}, {stop}) is not within the stream of {len(ids)} ids")
    return ids


def not_a_word(ids: Ids, position: int, vocabulary: int) -> IntegrityError:
    """What is raised for an id that is neither of the `vocabulary` nor the end of a sentence."""
    return IntegrityError(
        f"id {int(ids[position])} at position {position} of the stream is not in the vocabulary of {vocabulary} words"
    )
