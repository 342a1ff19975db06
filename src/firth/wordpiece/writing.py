"""Writing a token store in two passes: ids in the order of reading, then shards in the order of training."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.canonical import file_sha256, write_json
from firth.config.bert import Tokenize
from firth.errors import DataError
from firth.progress import Meter
from firth.wordpiece.files import FILES
from firth.wordpiece.tokenizer import Tokenizer

MANIFEST = "manifest.json"
UNIGRAMS = "unigrams.i64"
TOKENIZER = "tokenizer"
PARTS = ("ids", "sentences", "documents")
"""Endings of a shard's files."""

MEGABYTE = 2**20

BATCH_CHARACTERS = 4_000_000
"""Text handled at a time."""

BATCH_IDS = 1 << 22
"""Ids counted at a time."""

BATCH_DOCUMENTS = 4096
"""Documents copied between two looks at the clock."""

LARGEST_OFFSET = 2**32 - 1

Documents = Iterable[Sequence[str]]
"""Each a list of sentences."""


class Document(NamedTuple):
    """The ids of one document and how many of them each of its sentences has."""

    ids: NDArray[Any]
    lengths: NDArray[np.uint32]


def build_store(
    train: Documents, heldout: Documents, tokenizer: Tokenizer, settings: Tokenize, folder: Path
) -> dict[str, Any]:
    """Write two sets of documents to `folder` as a token store; its manifest.

    Sentences of which the tokenizer leaves nothing are dropped, and documents without a sentence. Memory holds one
    batch of text and a few numbers a training document; ids wait in a temporary file in `folder`.

    Raises:
        DataError: the training side holds no token, or a document is too large for a shard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = np.dtype("<u2" if len(tokenizer) <= 2**16 else "<u4")
    unigrams = np.zeros(len(tokenizer), dtype=np.int64)
    ordered = _ordered(train, tokenizer, kind, settings, folder)
    splits = {
        side: _write(documents, folder, side, settings.shard_megabytes * MEGABYTE, counts, tokenizer.unk)
        for side, documents, counts in (
            ("train", ordered, unigrams),
            ("heldout", _encode(heldout, tokenizer, kind), np.zeros_like(unigrams)),
        )
    }
    if not splits["train"]["tokens"]:
        raise DataError("the training side holds no text that the tokenizer can read")
    unigrams.astype("<i8").tofile(folder / UNIGRAMS)
    tokenizer.save(folder / TOKENIZER)
    names = [f"{TOKENIZER}/{name}" for name in FILES] + [UNIGRAMS]
    names += [f"{shard['file']}.{part}" for split in splits.values() for shard in split["shards"] for part in PARTS]
    manifest = {
        "settings": settings.model_dump(),
        "dtype": kind.name,
        "tokenizer": {"sha256": tokenizer.sha256, "pieces": len(tokenizer)},
        "splits": splits,
        "files": {
            name: {"bytes": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)} for name in names
        },
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def _encode(documents: Documents, tokenizer: Tokenizer, kind: np.dtype[Any]) -> Iterator[Document]:
    """Documents with at least one token, in order."""
    for batch in _batches(documents):
        encoded = iter(tokenizer.ids([sentence for document in batch for sentence in document]))
        for document in batch:
            found = [ids for _, ids in zip(document, encoded, strict=False) if ids]
            if found:
                lengths = np.fromiter(map(len, found), dtype=np.uint32, count=len(found))
                yield Document(np.fromiter(chain.from_iterable(found), dtype=kind, count=int(lengths.sum())), lengths)


def _batches(documents: Documents) -> Iterator[list[Sequence[str]]]:
    batch: list[Sequence[str]] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += 1 + sum(map(len, document))
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _ordered(
    documents: Documents, tokenizer: Tokenizer, kind: np.dtype[Any], settings: Tokenize, folder: Path
) -> Iterator[Document]:
    """The training documents in the order in which they are written."""
    encoded = _encode(documents, tokenizer, kind)
    if not settings.shuffle:
        yield from encoded
        return
    with (
        tempfile.TemporaryFile(dir=folder, prefix=".ids-") as ids_file,
        tempfile.TemporaryFile(dir=folder, prefix=".lengths-") as lengths_file,
    ):
        tokens, sentences = array("q", [0]), array("q", [0])
        for ids, lengths in encoded:
            ids_file.write(ids.tobytes())
            lengths_file.write(lengths.astype("<u4").tobytes())
            tokens.append(tokens[-1] + len(ids))
            sentences.append(sentences[-1] + len(lengths))
        if len(tokens) == 1:
            return
        all_ids, all_lengths = _mapped(ids_file, kind), _mapped(lengths_file, np.dtype("<u4"))
        order = np.random.default_rng(settings.seed).permutation(len(tokens) - 1)
        with Meter("shuffle", len(order), "documents") as meter:
            for start in range(0, len(order), BATCH_DOCUMENTS):
                some = order[start : start + BATCH_DOCUMENTS].tolist()
                for at in some:
                    yield Document(all_ids[tokens[at] : tokens[at + 1]], all_lengths[sentences[at] : sentences[at + 1]])
                meter.advance(len(some))


def _mapped(stream: IO[bytes], kind: np.dtype[Any]) -> NDArray[Any]:
    stream.flush()
    return np.asarray(np.memmap(stream, dtype=kind, mode="r"))  # slices of a plain array are cheaper


def _write(
    documents: Iterator[Document], folder: Path, side: str, shard_bytes: int, unigrams: NDArray[np.int64], unk: int
) -> dict[str, Any]:
    """Write shards of about `shard_bytes` of ids; their part of the manifest. Pieces are counted into `unigrams`."""
    (folder / side).mkdir(exist_ok=True)
    shards: list[dict[str, Any]] = []
    waiting = next(documents, None)
    while waiting is not None:
        name = f"{side}/shard-{len(shards):05d}"
        documents_at, lengths, size = [0], [np.zeros(1, dtype=np.uint32)], 0
        with (folder / f"{name}.ids").open("wb") as stream:
            while waiting is not None and (size == 0 or size + waiting.ids.nbytes <= shard_bytes):
                stream.write(waiting.ids.tobytes())
                size += waiting.ids.nbytes
                lengths.append(waiting.lengths)
                documents_at.append(documents_at[-1] + len(waiting.lengths))
                tokens = size // waiting.ids.itemsize
                kind = waiting.ids.dtype
                waiting = next(documents, None)
        if tokens > LARGEST_OFFSET:
            raise DataError(f"a document of {tokens} tokens is too large for a shard; cut it into smaller ones")
        _count(np.memmap(folder / f"{name}.ids", dtype=kind, mode="r"), unigrams)
        sentences_at = np.cumsum(np.concatenate(lengths), dtype=np.uint64)
        sentences_at.astype("<u4").tofile(folder / f"{name}.sentences")
        np.array(documents_at, dtype="<u4").tofile(folder / f"{name}.documents")
        shards.append(
            {"file": name, "documents": len(documents_at) - 1, "sentences": documents_at[-1], "tokens": tokens}
        )
    total = {key: sum(shard[key] for shard in shards) for key in ("documents", "sentences", "tokens")}
    unknown = int(unigrams[unk])
    return {**total, "unknown_share": round(unknown / total["tokens"], 6) if total["tokens"] else 0.0, "shards": shards}


def _count(ids: NDArray[Any], unigrams: NDArray[np.int64]) -> None:
    for start in range(0, len(ids), BATCH_IDS):
        unigrams += np.bincount(ids[start : start + BATCH_IDS], minlength=len(unigrams))


def summary(manifest: Mapping[str, Any]) -> list[str]:
    """What was written, in lines for a person."""
    return [
        f"tokenize {side}: {counts['tokens']} tokens in {counts['sentences']} sentences of {counts['documents']} "
        f"documents, {counts['unknown_share']:.3%} of the tokens unknown, {len(counts['shards'])} shard(s)"
        for side, counts in manifest["splits"].items()
    ]
