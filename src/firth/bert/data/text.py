"""One side of the token store as the kernels see it: ids, and where its sentences and documents begin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.wordpiece.store import Split

Offsets = NDArray[np.int64]
Ids = NDArray[np.uint16] | NDArray[np.uint32]


@dataclass(frozen=True)
class Text:
    """Tokens, sentences and documents are numbered through all shards; none of the latter is empty."""

    shards: tuple[Ids, ...]
    shard_starts: Offsets
    """(shards + 1,): number of each shard's first token."""
    sentences: Offsets
    """(sentences + 1,): number of each sentence's first token."""
    documents: Offsets
    """(documents + 1,): number of each document's first sentence."""

    @classmethod
    def of(cls, split: Split) -> Text:
        """The text of `split`; ids stay mapped, offsets are held in memory (8 bytes a sentence)."""
        shards = tuple(_read_only(shard.ids) for shard in split.shards)
        shard_starts = _starts([len(ids) for ids in shards])
        sentences = _starts(_lengths([shard.sentences for shard in split.shards]))
        documents = _starts(_lengths([shard.documents for shard in split.shards]))
        return cls(shards, shard_starts, sentences, documents)

    @property
    def tokens(self) -> int:
        """Tokens of all documents."""
        return int(self.sentences[-1])

    def __len__(self) -> int:
        """Documents."""
        return len(self.documents) - 1


def _starts(lengths: Offsets | list[int]) -> Offsets:
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def _lengths(offsets: list[NDArray[np.uint32]]) -> Offsets:
    """What lies between neighbours, shard after shard."""
    parts = [part[1:].astype(np.int64) - part[:-1] for part in offsets]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _read_only(ids: Ids) -> Ids:
    """A plain view, of one type for the compiler whether it is mapped or in memory."""
    view = ids.view(np.ndarray)
    view.flags.writeable = False
    return view
