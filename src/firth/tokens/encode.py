"""Counting and encoding in one pass: every word gets a provisional id when first met, and its final id at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.canonical import file_sha256, write_json
from firth.config.text import Words
from firth.errors import DataError
from firth.tokens import vocabulary as vocabularies
from firth.tokens.store import END, MANIFEST, Ids, stream_file
from firth.tokens.vocabulary import Vocabulary
from firth.tokens.words import SENTENCE_END, split

BATCH_CHARACTERS = 4_000_000
"""Text handled at a time."""

PIECE = 1 << 22
"""Ids handled at a time."""

Sentences = Iterable[Sequence[str]]
"""Documents, each a list of sentences."""


def build_store(train: Sentences, heldout: Sentences, settings: Words, folder: Path) -> dict[str, Any]:
    """Write vocabulary, streams and manifest of two sets of documents to `folder`; the manifest.

    Words outside the vocabulary are left out of the streams, as word2vec does, and counted. Memory holds one batch
    of text and every distinct word with its count.

    Raises:
        DataError: no words, or none that are frequent enough.
    """
    folder.mkdir(parents=True, exist_ok=True)
    provisional: defaultdict[str, int] = defaultdict(count().__next__)
    provisional[SENTENCE_END]  # id 0
    first_pass = folder / ".train.provisional"
    try:
        counts, bounds = _first_pass(train, settings, provisional, first_pass)
        read = int(counts[1:].sum())
        if read == 0:
            raise DataError("the training corpus holds no words")
        names = list(provisional)
        vocabulary = Vocabulary.of(zip(names[1:], counts[1:].tolist(), strict=True), settings.min_count,
                                   settings.max_vocabulary)  # fmt: skip
        if len(vocabulary) == 0:
            raise DataError(
                f"no word occurs {settings.min_count} times or more (the most frequent {int(counts[1:].max())} times): "
                "lower words.min_count or add text"
            )
        final = np.array([END, *(vocabulary.ids.get(name, OUTSIDE) for name in names[1:])], dtype=np.int32)
        raw = np.memmap(first_pass, dtype=np.int32, mode="r")
        order = np.arange(len(bounds) - 1)
        if settings.shuffle:
            # the learning rate falls as the stream is read: the source that happens to come last would be learnt least
            np.random.default_rng(settings.seed).shuffle(order)
        pieces = (final[ids] for ids in _documents(raw, bounds, order))
        splits = {"train": _write_stream(pieces, folder / stream_file("train"))}
        del raw
    finally:
        first_pass.unlink(missing_ok=True)
    known = defaultdict(lambda: OUTSIDE, vocabulary.ids)
    known[SENTENCE_END] = END
    splits["heldout"] = _write_stream(
        (ids for ids, _ in _encode(heldout, settings, _lookup(known))), folder / stream_file("heldout")
    )
    vocabulary.save(folder / vocabularies.FILE)
    manifest = {
        "settings": settings.model_dump(),
        "vocabulary": {"words": len(vocabulary), "sha256": vocabulary.sha256, "distinct_words_read": len(names) - 1},
        "splits": splits,
        "files": {
            name: {"bytes": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)}
            for name in (vocabularies.FILE, *map(stream_file, splits))
        },
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


OUTSIDE = -2
"""Stands for a word outside the vocabulary until the streams are written."""


def _first_pass(
    documents: Sentences, settings: Words, provisional: defaultdict[str, int], path: Path
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write provisional ids to `path`; occurrences of each, and where documents begin and end (documents + 1)."""
    totals = np.zeros(1, dtype=np.int64)
    bounds = [np.zeros(1, dtype=np.int64)]
    with path.open("wb") as stream:
        for ids, sentences in _encode(documents, settings, _lookup(provisional)):
            stream.write(ids.tobytes())
            counts = np.bincount(ids, minlength=len(totals))
            counts[: len(totals)] += totals
            totals = counts
            ends = np.concatenate(([0], np.flatnonzero(ids == 0) + 1))  # each sentence has one end, id 0
            bounds.append(bounds[-1][-1] + ends[np.cumsum(sentences)])
    return totals, np.concatenate(bounds)


def _documents(raw: Ids, bounds: NDArray[np.int64], order: NDArray[np.int64]) -> Iterator[Ids]:
    """The documents of `raw` in `order`, about `PIECE` ids at a time."""
    chunk: list[Ids] = []
    size = 0
    for document in order:
        ids = raw[bounds[document] : bounds[document + 1]]
        chunk.append(ids)
        size += len(ids)
        if size >= PIECE:
            yield np.concatenate(chunk)
            chunk, size = [], 0
    if chunk:
        yield np.concatenate(chunk)


def _lookup(ids: dict[str, int]) -> Callable[[str], int]:
    return ids.__getitem__


def _encode(documents: Sentences, settings: Words, lookup: Callable[[str], int]) -> Iterator[tuple[Ids, list[int]]]:
    """Ids of the documents' words, a batch of text at a time, and how many sentences each of its documents has."""
    for batch, sentences in _batches(documents):
        words = split(batch, settings.lowercase, settings.numbers)
        yield np.fromiter(map(lookup, words), dtype=np.int32, count=len(words)), sentences


def _batches(documents: Sentences) -> Iterator[tuple[list[str], list[int]]]:
    batch: list[str] = []
    counts: list[int] = []
    size = 0
    for sentences in documents:
        batch.extend(sentences)
        counts.append(len(sentences))
        size += sum(map(len, sentences))
        if size >= BATCH_CHARACTERS:
            yield batch, counts
            batch, counts, size = [], [], 0
    if batch:
        yield batch, counts


def _write_stream(pieces: Iterable[Ids], path: Path) -> dict[str, Any]:
    """Write the ids that are in the vocabulary, without empty sentences; words, sentences and the share left out."""
    words = sentences = outside = 0
    last = END
    with path.open("wb") as stream:
        for ids in pieces:
            kept = ids[ids != OUTSIDE]
            outside += len(ids) - len(kept)
            if not len(kept):
                continue
            before = np.concatenate(([last], kept[:-1]))
            kept = kept[(kept != END) | (before != END)]
            if len(kept):
                last = int(kept[-1])
            ends = int(np.count_nonzero(kept == END))
            sentences += ends
            words += len(kept) - ends
            stream.write(kept.astype("<i4").tobytes())
    read = words + outside
    return {
        "words": words,
        "sentences": sentences,
        "out_of_vocabulary_words": outside,
        "out_of_vocabulary_share": round(outside / read, 6) if read else 0.0,
    }
