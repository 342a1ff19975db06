"""The word store: a vocabulary and flat streams of int32 ids, memory-mapped and checked when opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.canonical import check_file, read_json, value_sha256
from firth.errors import IntegrityError
from firth.tokens import vocabulary as vocabularies
from firth.tokens.vocabulary import Vocabulary

Ids = NDArray[np.int32]

MANIFEST = "manifest.json"
SPLITS = ("train", "heldout")
END = -1
"""The id behind each sentence."""


def stream_file(split: str) -> str:
    """Name of the file that holds `split`."""
    return f"{split}.i32"


@dataclass(frozen=True, eq=False)
class WordStore:
    """What the `words` stage wrote: ids of `vocabulary`, −1 behind each sentence, in `train` and `heldout`."""

    folder: Path
    vocabulary: Vocabulary
    train: Ids
    heldout: Ids
    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """sha256 of the manifest, which names the sha256 of every file."""
        return value_sha256(self.manifest)

    @classmethod
    def open(cls, folder: Path) -> WordStore:
        """Map the store in `folder`, after a check of every file's size and sha256.

        Raises:
            IntegrityError: a file is missing, torn or altered; it is named.
        """
        manifest = read_json(folder / MANIFEST)
        try:
            for name in {vocabularies.FILE, *map(stream_file, SPLITS), *manifest["files"]}:
                entry = manifest["files"][name]
                check_file(folder / name, entry["bytes"], entry["sha256"])
            size = manifest["vocabulary"]["words"]
        except (KeyError, TypeError):
            raise IntegrityError(f"{folder / MANIFEST}: not the manifest of a word store") from None
        vocabulary = Vocabulary.load(folder / vocabularies.FILE)
        if len(vocabulary) != size:
            raise IntegrityError(f"{folder / vocabularies.FILE}: {len(vocabulary)} words, the manifest says {size}")
        train, heldout = (_map(folder / stream_file(split)) for split in SPLITS)
        return cls(folder, vocabulary, train, heldout, manifest)


def _map(path: Path) -> Ids:
    """The ids in `path`, read from the page cache; an empty file cannot be mapped."""
    if path.stat().st_size == 0:
        return np.zeros(0, dtype="<i4")
    return np.memmap(path, dtype="<i4", mode="r")
