"""The word vocabulary: words and counts, most frequent first, ties by code point."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firth.canonical import write_atomic
from firth.errors import DataError, IntegrityError

FILE = "vocabulary.tsv"


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Word `words[i]` has id i and occurs `counts[i]` times in the training text."""

    words: tuple[str, ...]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of each word."""
        return {word: i for i, word in enumerate(self.words)}

    @classmethod
    def of(cls, counted: Iterable[tuple[str, int]], min_count: int, max_vocabulary: int) -> Vocabulary:
        """The vocabulary of `(word, count)` pairs: rarer words left out, then the most frequent kept."""
        kept = [(word, count) for word, count in counted if count >= min_count]
        kept.sort(key=lambda pair: (-pair[1], pair[0]))
        kept = kept[:max_vocabulary]
        return cls(tuple(word for word, _ in kept), np.array([count for _, count in kept], dtype=np.int64))

    def text(self) -> str:
        """The file: `word<TAB>count`, one a line."""
        return "".join(f"{word}\t{count}\n" for word, count in zip(self.words, self.counts.tolist(), strict=True))

    @cached_property
    def sha256(self) -> str:
        """Of the file's bytes."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write the file."""
        write_atomic(path, self.text().encode())

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read the file; a malformed line, a repeated word or a torn end is named."""
        try:
            text = path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            raise IntegrityError(f"{path}: no such file") from None
        except UnicodeDecodeError as error:
            raise DataError(f"not valid UTF-8 ({error.reason} at byte {error.start})", path) from None
        if text and not text.endswith("\n"):
            raise IntegrityError(f"{path}: the last line has no end (torn)")
        words: list[str] = []
        counts: list[int] = []
        for number, line in enumerate(text.split("\n")[:-1], 1):
            word, tab, count = line.partition("\t")
            if not (word and tab and count.isascii() and count.isdigit()):
                raise DataError(f"{line[:80]!r} is not `word<TAB>count`", path, number)
            words.append(word)
            counts.append(int(count))
        vocabulary = cls(tuple(words), np.array(counts, dtype=np.int64))
        if len(vocabulary.ids) != len(words):
            seen: set[str] = set()
            for number, word in enumerate(words, 1):
                if word in seen:
                    raise DataError(f"the word {word!r} occurs a second time", path, number)
                seen.add(word)
        return vocabulary
