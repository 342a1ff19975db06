"""Counting and encoding in one pass: every word gets a provisional code when first met, and its final id at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from firth.canonical import file_sha256, write_json
from firth.config.text import Words
from firth.errors import DataError
from firth.tokens import vocabulary as vocabularies
from firth.tokens.counting import OUTSIDE, Counting, Piece
from firth.tokens.phrases import PHRASES, PhraseLearner
from firth.tokens.store import END, MANIFEST, Ids, stream_file
from firth.tokens.streams import write_stream
from firth.tokens.table import WordTable
from firth.tokens.text_files import read_pieces
from firth.tokens.vocabulary import Vocabulary

BATCH_CHARACTERS = 2_000_000
"""Text handled at a time."""

Sentences = Iterable[Sequence[str]]
"""Documents, each a list of sentences."""


def build_store(
    train: Sentences, heldout: Sentences, settings: Words, folder: Path, *, threads: int = 1
) -> dict[str, Any]:
    """Write vocabulary, streams and manifest of two sets of documents to `folder`; the manifest.

    Words outside the vocabulary are left out of the streams, as word2vec does, and counted. Memory holds a few batches
    of text and at most about `settings.max_distinct` words with their counts. The bytes do not depend on `threads`.

    Raises:
        DataError: no words, none that are frequent enough, or only one.
    """
    pieces = chain(_batches(train), (piece._replace(documents=None, heldout=1.0) for piece in _batches(heldout)))
    return _build(pieces, settings, folder, threads)


def build_store_from_files(
    paths: Sequence[Path], settings: Words, folder: Path, *, threads: int = 1, heldout_share: float = 0.0
) -> dict[str, Any]:
    """Write vocabulary, streams and manifest of UTF-8 text files, one sentence a line, to `folder`; the manifest.

    Files that end in .gz, .bz2 or .xz are decompressed. `heldout_share` of the lines, chosen by a hash of the seed and
    the line's number, go to the held-out stream. With `settings.shuffle`, passages of about a thousand words are put
    in a random order. The bytes do not depend on `threads`.

    Raises:
        DataError: a file is missing, torn or not UTF-8 (file, line and byte are named); no words, none that are
            frequent enough, or only one.
    """
    return _build(read_pieces(paths, heldout_share), settings, folder, threads)


def _build(pieces: Iterable[Piece], settings: Words, folder: Path, threads: int) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [vocabularies.FILE]
    with Counting(folder, settings, threads) as counted:
        counted.read(pieces)
        table, pruned = counted.table, counted.pruned
        distinct = table.distinct + pruned.words
        if distinct == 0:
            raise DataError("the training corpus holds no words")
        if settings.phrases.passes:
            phrases = PhraseLearner(counted)
            phrases.learn()
            phrases.save(folder / PHRASES)
            files.append(PHRASES)
        else:
            (folder / PHRASES).unlink(missing_ok=True)  # of an earlier store in this folder
        vocabulary, final = _vocabulary(table, settings)
        bounds = counted.train.bounds
        order = np.arange(len(bounds) - 1)
        if settings.shuffle:
            # the learning rate falls as the stream is read: the source that happens to come last would be learnt least
            np.random.default_rng(settings.seed).shuffle(order)
        splits, digests = {}, {}
        everything = np.array([0, counted.heldout.size])
        for side, codes, limits, documents in (
            ("train", counted.train, bounds, order),
            ("heldout", counted.heldout, everything, np.zeros(1, dtype=np.int64)),
        ):
            stream = folder / stream_file(side)
            splits[side], digests[stream.name] = write_stream(codes.map(), limits, documents, final, stream, threads)
    vocabulary.save(folder / vocabularies.FILE)
    digests |= {name: file_sha256(folder / name) for name in files}
    entries = {name: {"bytes": (folder / name).stat().st_size, "sha256": digests[name]} for name in sorted(digests)}
    manifest = {
        "settings": settings.model_dump(),
        "vocabulary": {
            "words": len(vocabulary),
            "sha256": entries[vocabularies.FILE]["sha256"],
            "distinct_words_read": distinct,
        },
        "pruned": pruned._asdict(),
        "splits": splits,
        "files": entries,
    }
    if settings.phrases.passes:
        manifest["phrases"] = phrases.report()
    write_json(folder / MANIFEST, manifest)
    return manifest


def _vocabulary(table: WordTable, settings: Words) -> tuple[Vocabulary, Ids]:
    """The vocabulary, and the final id of each provisional code.

    Raises:
        DataError: fewer than two words are frequent enough.
    """
    entries = table.ranked(settings.min_count, settings.max_vocabulary)
    vocabulary = Vocabulary(tuple(table.names(entries)), table.counts[entries])
    if len(vocabulary) == 0:
        raise DataError(
            f"no word occurs {settings.min_count} times or more (the most frequent {table.counts[1:].max(initial=0)} "
            "times): lower words.min_count or add text"
        )
    if len(vocabulary) == 1:
        raise DataError(
            f"only one word, {vocabulary.words[0]!r}, occurs {settings.min_count} times or more, and vectors are "
            "learnt from words beside each other: lower words.min_count or add text"
        )
    final = np.full(table.size, OUTSIDE, dtype=np.int32)
    final[0] = END
    final[entries] = np.arange(len(entries), dtype=np.int32)
    return vocabulary, final


def _batches(documents: Sentences) -> Iterator[Piece]:
    """Whole documents, about `BATCH_CHARACTERS` together."""
    batch: list[str] = []
    counts: list[int] = []
    size = 0
    for sentences in documents:
        batch.extend(sentences)
        counts.append(len(sentences))
        size += sum(map(len, sentences))
        if size >= BATCH_CHARACTERS:
            yield _piece(batch, counts)
            batch, counts, size = [], [], 0
    if batch:
        yield _piece(batch, counts)


def _piece(sentences: list[str], documents: list[int]) -> Piece:
    text = "\n".join(sentence.replace("\n", " ") for sentence in sentences) + "\n"
    return Piece(text.encode(errors="surrogatepass"), documents)
