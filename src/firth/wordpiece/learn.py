"""From documents to a tokenizer, as the settings have it: a new vocabulary, a given one, or that and further pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from firth.canonical import file_sha256
from firth.config.bert import WordPiece
from firth.errors import DataError, IntegrityError
from firth.progress import Meter
from firth.wordpiece.files import VOCABULARY, vocabulary_bytes
from firth.wordpiece.library import Normalisation
from firth.wordpiece.tokenizer import Tokenizer
from firth.wordpiece.trainer import extend_vocabulary, learn_vocabulary
from firth.wordpiece.words import WordCounts, count_words


class Made(NamedTuple):
    """A tokenizer and what it is to the text that it was made from."""

    tokenizer: Tokenizer
    manifest: dict[str, Any]
    """`settings`, `tokenizer` (`sha256`, `pieces`, `missing`: asked for, but not to be learned), `words` (`distinct`,
    `total`, `left_out`: no piece is learned from them), `tokens_per_word`, `unknown_share` (of the words)."""


def make_tokenizer(documents: Iterable[Sequence[str]], settings: WordPiece, base: Path | None = None) -> Made:
    """Make the tokenizer that `settings` ask for from documents, each a list of sentences.

    `base` is the folder that `settings.base` means. Its vocabulary and its normalisation are taken as they are,
    whatever the other settings say; behind it come `settings.extend` pieces.

    Raises:
        IntegrityError: the vocabulary in `base` is not the one that is pinned; the message says its digest.
        DataError: `base` holds no tokenizer of BERT's, or the text holds no words.
    """
    if base is None:
        normalisation = Normalisation(settings.lowercase, settings.strip_accents, settings.chinese_characters)
        counted = count_words(documents, normalisation)
        with Meter("wordpiece: merges", settings.vocabulary, "pieces") as meter:
            learned = learn_vocabulary(
                counted.counts, settings.vocabulary, settings.min_count, settings.alphabet, meter.advance
            )
        tokenizer = Tokenizer(learned.pieces, *normalisation)
        asked, left_out = settings.vocabulary, learned.left_out
    else:
        tokenizer = _pinned(base, settings.base_sha256)
        counted = count_words(documents, tokenizer.normalisation)
        asked, left_out = len(tokenizer) + settings.extend, 0
        if settings.extend:
            with Meter("wordpiece: merges", settings.extend, "pieces") as meter:
                learned = extend_vocabulary(
                    tokenizer, counted.counts, settings.extend, settings.min_count, meter.advance
                )
            tokenizer = Tokenizer(learned.pieces, *tokenizer.normalisation, names=tokenizer.names)
            left_out = learned.left_out
    if not counted.total:
        raise DataError("the text holds no words")
    manifest = {
        "settings": settings.model_dump(),
        "tokenizer": {
            "sha256": tokenizer.sha256,
            "pieces": len(tokenizer),
            "missing": asked - len(tokenizer),
        },
        "words": {"distinct": counted.distinct, "total": counted.total, "left_out": left_out},
        **_fit(tokenizer, counted),
    }
    return Made(tokenizer, manifest)


def summary(manifest: Mapping[str, Any]) -> list[str]:
    """What was made, in lines for a person."""
    made, words, settings = manifest["tokenizer"], manifest["words"], manifest["settings"]
    lines = [
        f"wordpiece: {made['pieces']} pieces, {manifest['tokens_per_word']:.3f} tokens per word, "
        f"{manifest['unknown_share']:.3%} of {words['total']} words unknown"
    ]
    if settings["base"]:
        extended = f"and {settings['extend'] - made['missing']} learned pieces" if settings["extend"] else "as they are"
        lines.append(f"wordpiece: vocabulary and normalisation of {settings['base']} {extended}")
    if made["missing"]:
        lines.append(
            f"wordpiece: {made['missing']} pieces fewer than asked for: no further pair of pieces occurs "
            f"{settings['min_count']} times or more; with more text, or a lower min_count, there may be more"
        )
    return lines


def _pinned(base: Path, sha256: str) -> Tokenizer:
    tokenizer = Tokenizer.load(base)
    path = base / VOCABULARY
    found = file_sha256(path) if path.is_file() else hashlib.sha256(vocabulary_bytes(tokenizer.vocabulary)).hexdigest()
    if found != sha256:
        raise IntegrityError(
            f"{path}: its sha256 is {found}, the parameters pin {sha256}; to use it as it is, set "
            f"wordpiece.base_sha256={found}"
        )
    return tokenizer


def _fit(tokenizer: Tokenizer, counted: WordCounts) -> dict[str, float]:
    tokens = words = unknown = 0
    for ids, count in zip(tokenizer.ids(list(counted.counts)), counted.counts.values(), strict=True):
        words += count
        tokens += count * len(ids)
        unknown += count * (tokenizer.unk in ids)
    return {"tokens_per_word": round(tokens / words, 6), "unknown_share": round(unknown / words, 6)}
