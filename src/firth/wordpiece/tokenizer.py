"""BERT's tokenizer: text to ids and back, with the ids of `transformers.BertTokenizerFast`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.canonical import value_sha256
from firth.errors import DataError
from firth.wordpiece import files
from firth.wordpiece.library import CONTINUES, Names, Normalisation, build, encode_batch, encode_one

BATCH_CHARACTERS = 1_000_000
"""Text that the library is given at a time: what it returns takes some thirty times its room."""


class Encoded(NamedTuple):
    """One or two texts as the model reads them; all lists have one entry a token."""

    ids: list[int]
    segments: list[int]
    """0, and 1 from the second text on."""
    offsets: list[tuple[int, int]]
    """Characters, in the text that the token came from; (0, 0) for special tokens."""
    sides: list[int]
    """0 for the first text, 1 for the second, -1 for special tokens."""


class Tokenizer:
    """A vocabulary of word pieces and the normalisation before it.

    What stands in a text is text: a literal `[MASK]` or `[CLS]` is cut into `[`, `mask`, `]` like any other word
    (`transformers` does so with `split_special_tokens=True`). Only `encode(..., mask_token=True)` reads the mask.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool = True,
        strip_accents: bool = True,
        chinese_characters: bool = True,
        names: Names | None = None,
    ) -> None:
        """A tokenizer in which piece `vocabulary[i]` has id i; `names` are the special pieces, by default BERT's.

        Raises:
            DataError: a special piece is missing, or a piece is there twice.
        """
        self.vocabulary = tuple(vocabulary)
        self.lowercase, self.strip_accents, self.chinese_characters = lowercase, strip_accents, chinese_characters
        self.names = names or Names()
        ids = {piece: number for number, piece in enumerate(self.vocabulary)}
        if len(ids) != len(self.vocabulary):
            twice = next(piece for number, piece in enumerate(self.vocabulary) if ids[piece] != number)
            raise DataError(f"the vocabulary holds the piece {twice!r} twice")
        if missing := [name for name in self.names if name not in ids]:
            raise DataError(f"the vocabulary has no {', '.join(missing)}: BERT needs {', '.join(self.names)}")
        self.pad, self.unk, self.cls, self.sep, self.mask = (ids[name] for name in self.names)
        self.special = frozenset((self.pad, self.unk, self.cls, self.sep, self.mask))
        self._plain = build(ids, self.normalisation, self.names)
        self._masking = build(ids, self.normalisation, self.names, special=[self.names.mask])

    def __len__(self) -> int:
        """Pieces in the vocabulary."""
        return len(self.vocabulary)

    @property
    def normalisation(self) -> Normalisation:
        """The three settings together."""
        return Normalisation(self.lowercase, self.strip_accents, self.chinese_characters)

    @cached_property
    def continues(self) -> NDArray[np.bool_]:
        """(vocabulary,): whether a piece goes on a word."""
        return np.array([piece.startswith(CONTINUES) for piece in self.vocabulary], dtype=np.bool_)

    @cached_property
    def sha256(self) -> str:
        """Of vocabulary, settings and names: equal exactly where the same text gives the same ids."""
        return value_sha256([self.vocabulary, self.normalisation, self.names])

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Read our own folders and those that Hugging Face publishes.

        Raises:
            DataError: no tokenizer there, one that is not BERT's, or one without a special piece.
        """
        vocabulary, normalisation, names = files.read(folder)
        try:
            return cls(vocabulary, *normalisation, names=names)
        except DataError as error:
            raise DataError(str(error), folder) from None

    def save(self, folder: Path, length: int = 512) -> None:
        """Write `vocab.txt`, `tokenizer.json` and `tokenizer_config.json` as `transformers.AutoTokenizer` reads them.

        `length` is the longest sequence that the model reads (`model_max_length`).
        """
        files.write(folder, files.Description(self.vocabulary, self.normalisation, self.names), length)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, without special tokens; nothing in a text is special."""
        return [encoding.ids for batch in _batches(texts) for encoding in encode_batch(self._plain, batch)]

    def placed(self, texts: Sequence[str]) -> list[tuple[list[int], NDArray[np.int64]]]:
        """The ids of each text, as `ids`, and the characters (ids, 2) of the text that each comes from."""
        return [
            (encoding.ids, np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2))
            for batch in _batches(texts)
            for encoding in encode_batch(self._plain, batch, places=True)
        ]

    def words(self, words: Sequence[str]) -> list[list[int]]:
        """The pieces of each word of a sentence that is cut already; [UNK] for a word of which nothing is left."""
        return [ids or [self.unk] for ids in self.ids(words)]

    def encode(
        self,
        first: str,
        second: str | None = None,
        length: int = 512,
        mask_token: bool = False,
        truncate: Literal["longest", "second"] = "longest",
    ) -> Encoded:
        """[CLS] first [SEP], or [CLS] first [SEP] second [SEP], of at most `length` tokens.

        Args:
            first: a text.
            second: a text that goes with it.
            length: most tokens, special ones included.
            mask_token: read `[MASK]` in the texts as the mask, not as text.
            truncate: what is cut where the texts are too long: `longest` the longer one (of two long ones both, to
                halves, as in transformers), `second` the second, and the first only where nothing else is left.
        """
        pair = [text for text in (first, second) if text is not None]
        room = length - 1 - len(pair)
        if room < 1:
            raise ValueError(f"length {length} leaves no room for a token beside the special ones")
        reader = self._masking if mask_token else self._plain
        encodings = [encode_one(reader, text) for text in pair]
        kept = _kept([len(encoding.ids) for encoding in encodings], room, truncate)
        ids, segments, offsets, sides = [self.cls], [0], [(0, 0)], [-1]
        for side, (encoding, count) in enumerate(zip(encodings, kept, strict=True)):
            ids += [*encoding.ids[:count], self.sep]
            segments += [side] * (count + 1)
            offsets += [*encoding.offsets[:count], (0, 0)]
            sides += [*[side] * count, -1]
        return Encoded(ids, segments, offsets, sides)

    def text(self, ids: Sequence[int]) -> str:
        """The pieces joined back to words; [PAD], [CLS] and [SEP] are left out."""
        silent = (self.pad, self.cls, self.sep)
        pieces = (self.vocabulary[number] for number in ids if number not in silent)
        return " ".join(pieces).replace(f" {CONTINUES}", "").strip()


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += 1 + len(text)
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _kept(counts: list[int], room: int, truncate: str) -> list[int]:
    """How many tokens of each text fit into `room`."""
    if sum(counts) <= room:
        return counts
    if len(counts) == 1:
        return [room]
    if truncate == "second":
        first = min(counts[0], room)
        return [first, room - first]
    short, long = sorted(counts)
    short = min(short, room // 2)
    long = room - short
    return [short, long] if counts[0] <= counts[1] else [long, short]
