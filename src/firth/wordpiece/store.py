"""The token store: memory-mapped ids with the bounds of sentences and documents, checked when opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.canonical import check_file, read_json, value_sha256
from firth.errors import IntegrityError
from firth.wordpiece.tokenizer import Tokenizer
from firth.wordpiece.writing import MANIFEST, PARTS, TOKENIZER, UNIGRAMS, build_store

__all__ = ["Shard", "Split", "TokenStore", "build_store"]

SPLITS = ("train", "heldout")


@dataclass(frozen=True, eq=False)
class Shard:
    """Consecutive documents of one side, memory-mapped."""

    ids: NDArray[np.uint16] | NDArray[np.uint32]
    """(tokens,), without special tokens."""
    sentences: NDArray[np.uint32]
    """(sentences + 1,): where in `ids` each sentence begins; no sentence is empty."""
    documents: NDArray[np.uint32]
    """(documents + 1,): where in `sentences` each document begins; no document is empty."""


@dataclass(frozen=True, eq=False)
class Split:
    """One side of the corpus, `train` or `heldout`."""

    shards: list[Shard]
    tokens: int
    sentences: int
    documents: int


@dataclass(frozen=True, eq=False)
class TokenStore:
    """What `build_store` wrote."""

    folder: Path
    tokenizer: Tokenizer
    train: Split
    heldout: Split
    unigrams: NDArray[np.int64]
    """(vocabulary,): occurrences of each piece on the training side."""
    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """sha256 of the manifest, which names the sha256 of every file."""
        return value_sha256(self.manifest)

    @classmethod
    def open(cls, folder: Path) -> TokenStore:
        """Map the store in `folder`, after a check of every file's size and sha256.

        Raises:
            IntegrityError: a file is missing, torn or altered; it is named.
        """
        manifest = read_json(folder / MANIFEST)
        try:
            for name, entry in manifest["files"].items():
                check_file(folder / name, entry["bytes"], entry["sha256"])
            tokenizer = Tokenizer.load(folder / TOKENIZER)
            if manifest["tokenizer"] != {"sha256": tokenizer.sha256, "pieces": len(tokenizer)}:
                raise IntegrityError(f"{folder / TOKENIZER}: not the tokenizer that the manifest names")
            ids = np.dtype(manifest["dtype"]).newbyteorder("<")
            train, heldout = (_split(folder, manifest["splits"][side], manifest["files"], ids) for side in SPLITS)
            unigrams = np.fromfile(folder / UNIGRAMS, dtype="<i8")
        except (KeyError, TypeError, AttributeError):
            raise IntegrityError(f"{folder / MANIFEST}: not the manifest of a token store") from None
        return cls(folder, tokenizer, train, heldout, unigrams, manifest)


def _split(folder: Path, entry: dict[str, Any], files: dict[str, Any], ids: np.dtype[Any]) -> Split:
    shards = []
    for shard in entry["shards"]:
        names = [f"{shard['file']}.{part}" for part in PARTS]
        if unlisted := [name for name in names if name not in files]:
            raise IntegrityError(f"{folder / unlisted[0]}: a shard's file without a checksum in the manifest")
        kinds = (ids, np.dtype("<u4"), np.dtype("<u4"))
        maps = (np.memmap(folder / name, dtype=kind, mode="r") for name, kind in zip(names, kinds, strict=True))
        shards.append(Shard(*maps))
    return Split(shards, entry["tokens"], entry["sentences"], entry["documents"])
