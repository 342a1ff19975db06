"""The library `tokenizers` as BERT uses it: normalisation, words, pieces. Its threads never change a result."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

CONTINUES = "##"
"""Stands before a piece that goes on a word."""

LONGEST_WORD = 100
"""Characters in the longest word that is taken apart; a longer one is [UNK], as in BERT."""

PARALLELISM = "TOKENIZERS_PARALLELISM"
_SURROGATE = re.compile("[\ud800-\udfff]")


class Normalisation(NamedTuple):
    """What BERT does to a text before it is cut into words. Control characters go in any case."""

    lowercase: bool = True
    strip_accents: bool = True
    chinese_characters: bool = True

    def build(self) -> normalizers.Normalizer:
        """The library's normaliser; `strip_accents` is said outright, never left to follow `lowercase`."""
        return normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=self.chinese_characters,
            strip_accents=self.strip_accents,
            lowercase=self.lowercase,
        )


class Names(NamedTuple):
    """The pieces with a meaning of their own."""

    pad: str = "[PAD]"
    unk: str = "[UNK]"
    cls: str = "[CLS]"
    sep: str = "[SEP]"
    mask: str = "[MASK]"


def build(
    ids: dict[str, int], normalisation: Normalisation, names: Names, special: Sequence[str] = (), frame: bool = False
) -> Tokenizer:
    """A tokenizer of the library; `special` pieces are found in a text as they stand, `frame` adds [CLS] and [SEP]."""
    made = Tokenizer(
        models.WordPiece(
            vocab=ids,
            unk_token=names.unk,
            max_input_chars_per_word=LONGEST_WORD,
            continuing_subword_prefix=CONTINUES,
        )
    )
    made.normalizer = normalisation.build()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix=CONTINUES)
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    if frame:
        made.post_processor = processors.TemplateProcessing(
            single=f"{names.cls}:0 $A:0 {names.sep}:0",
            pair=f"{names.cls}:0 $A:0 {names.sep}:0 $B:1 {names.sep}:1",
            special_tokens=[(name, ids[name]) for name in (names.cls, names.sep)],
        )
    return made


def tidy(text: str) -> str:
    """`text` with characters that no UTF-8 holds (lone surrogates) as U+FFFD, which BERT removes."""
    return _SURROGATE.sub("\ufffd", text)


def encode_batch(tokenizer: Tokenizer, texts: Sequence[str], places: bool = False) -> list[Any]:
    """The library's encodings of `texts`, without special tokens; with `places` it is known where each token stood."""
    encode = tokenizer.encode_batch if places else tokenizer.encode_batch_fast
    try:
        return list(encode(texts, add_special_tokens=False))
    except (TypeError, UnicodeEncodeError):
        return list(encode([tidy(text) for text in texts], add_special_tokens=False))


def encode_one(tokenizer: Tokenizer, text: str) -> Any:
    """The library's encoding of one text, with the place of each token in it."""
    try:
        return tokenizer.encode(text, add_special_tokens=False)
    except (TypeError, UnicodeEncodeError):
        return tokenizer.encode(tidy(text), add_special_tokens=False)


def _mind_forks() -> None:
    """A forked child has none of the library's threads and would wait for them: it works alone, without a warning."""
    os.environ.setdefault(PARALLELISM, "true")  # said outright, the library does not warn
    os.register_at_fork(after_in_child=lambda: os.environ.__setitem__(PARALLELISM, "false"))


_mind_forks()
