"""A tokenizer's files as Hugging Face publishes them: `vocab.txt`, `tokenizer.json`, `tokenizer_config.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from firth.canonical import dumps, read_json, write_atomic
from firth.errors import DataError, IntegrityError
from firth.wordpiece.library import CONTINUES, LONGEST_WORD, Names, Normalisation, build

VOCABULARY = "vocab.txt"
TOKENIZER = "tokenizer.json"
CONFIG = "tokenizer_config.json"
GENERAL = ("PreTrainedTokenizerFast", "TokenizersBackend")
"""Classes for which `transformers` takes `tokenizer.json` as it is."""
SETTINGS = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
"""Names in `tokenizer_config.json`, and in the normaliser of `tokenizer.json`."""
FILES = (VOCABULARY, TOKENIZER, CONFIG)


class Description(NamedTuple):
    """What a folder says: pieces in the order of their ids, normalisation, names of the special pieces."""

    vocabulary: tuple[str, ...]
    normalisation: Normalisation
    names: Names


def read(folder: Path) -> Description:
    """Read `vocab.txt`, `tokenizer.json` or both, and `tokenizer_config.json` where it is there.

    Raises:
        DataError: there is no tokenizer, or one of another kind than BERT's; the message says what it is.
    """
    config = _object(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    whole = _object(folder / TOKENIZER) if (folder / TOKENIZER).is_file() else None
    listed = read_vocabulary(folder / VOCABULARY) if (folder / VOCABULARY).is_file() else None
    found: Mapping[str, Any] = {}
    if whole is not None:
        vocabulary = _pieces(whole, folder / TOKENIZER)
        found = _normaliser(whole, folder / TOKENIZER)
        if listed is not None and listed != vocabulary[: len(listed)]:
            raise DataError(f"its pieces are not those of {TOKENIZER} beside it", folder / VOCABULARY)
    elif listed is not None:
        vocabulary = listed
    else:
        there = "no such folder" if not folder.is_dir() else f"holds neither {VOCABULARY} nor {TOKENIZER}"
        raise DataError(there, folder)
    return Description(vocabulary, _normalisation(config, found, folder), _names(config, folder))


def write(folder: Path, what: Description, length: int) -> None:
    """Write the three files so that `transformers.AutoTokenizer` reads them; `length` is its `model_max_length`."""
    vocabulary, normalisation, names = what
    write_atomic(folder / VOCABULARY, vocabulary_bytes(vocabulary))
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    whole = build(ids, normalisation, names, special=sorted(names, key=ids.__getitem__), frame=True)
    write_atomic(folder / TOKENIZER, (whole.to_str(pretty=True) + "\n").encode())
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": normalisation.lowercase,
        "strip_accents": normalisation.strip_accents,
        "tokenize_chinese_chars": normalisation.chinese_characters,
        "model_max_length": length,
        **{f"{role}_token": name for role, name in names._asdict().items()},
    }
    write_atomic(folder / CONFIG, dumps(config).encode())


def vocabulary_bytes(vocabulary: Sequence[str]) -> bytes:
    """`vocab.txt`: a piece a line."""
    return "".join(f"{piece}\n" for piece in vocabulary).encode()


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """The pieces of a `vocab.txt`; a repeated or empty line is named."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"not valid UTF-8 ({error.reason} at byte {error.start})", path) from None
    pieces = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    seen: set[str] = set()
    for number, piece in enumerate(pieces, 1):
        if not piece or piece in seen:
            raise DataError(f"the piece {piece!r} occurs a second time" if piece else "an empty line", path, number)
        seen.add(piece)
    return tuple(pieces)


def _object(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise IntegrityError(f"{path}: not a JSON object")
    return value


def _pieces(whole: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    model = whole.get("model") or {}
    if model.get("type", "WordPiece") != "WordPiece" or not isinstance(model.get("vocab"), dict):
        raise DataError(f"a tokenizer of the kind {model.get('type')!r}; Firth reads BERT's WordPiece", path)
    for key, expected in (("continuing_subword_prefix", CONTINUES), ("max_input_chars_per_word", LONGEST_WORD)):
        if model.get(key, expected) != expected:
            raise DataError(f"model.{key} is {model[key]!r}; BERT's is {expected!r}", path)
    ids: dict[str, int] = dict(model["vocab"])
    for token in whole.get("added_tokens") or []:
        if not token.get("special") and token["content"] not in ids:
            raise DataError(
                f"the added token {token['content']!r} is looked up in raw text, outside WordPiece: not supported", path
            )
        ids[token["content"]] = token["id"]
    pieces = sorted(ids, key=ids.__getitem__)
    if [ids[piece] for piece in pieces] != list(range(len(pieces))):
        gap = next(n for n, piece in enumerate(pieces) if ids[piece] != n)
        raise DataError(f"the ids have a gap or a repetition at {gap}", path)
    return tuple(pieces)


def _normaliser(whole: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    normalizer, words = whole.get("normalizer") or {}, whole.get("pre_tokenizer") or {}
    if normalizer.get("type") != "BertNormalizer" or not normalizer.get("clean_text", True):
        raise DataError(f"normalisation of the kind {json.dumps(normalizer)[:200]}; Firth reads BERT's", path)
    if words.get("type") != "BertPreTokenizer":
        raise DataError(f"words are cut by {words.get('type')!r}; Firth reads BERT's", path)
    found: Mapping[str, Any] = normalizer
    return found


def _normalisation(config: Mapping[str, Any], found: Mapping[str, Any], folder: Path) -> Normalisation:
    """As transformers reads it: `tokenizer_config.json` leads, and where it is silent BERT's uncased settings hold.

    A `tokenizer.json` that says otherwise would then be overruled in silence: that is refused. It leads where the class
    is the general one. Accents that nobody mentions go with the capitals.
    """
    told = {key: found[own] for key, own in SETTINGS.items() if own in found}
    if config.get("tokenizer_class") in GENERAL:
        return _with_defaults(told)
    taken, both = _with_defaults(config), _with_defaults({**told, **config})
    for key, holds, said in zip(SETTINGS, taken, both, strict=True):
        if holds != said:
            raise DataError(
                f"{TOKENIZER} says {SETTINGS[key]}={json.dumps(said)}, but without {key} in {CONFIG} transformers "
                f"takes {json.dumps(holds)}; write there which of them holds",
                folder,
            )
    return taken


def _with_defaults(said: Mapping[str, Any]) -> Normalisation:
    lowercase, accents = bool(said.get("do_lower_case", True)), said.get("strip_accents")
    chinese = bool(said.get("tokenize_chinese_chars", True))
    return Normalisation(lowercase, lowercase if accents is None else bool(accents), chinese)


def _names(config: Mapping[str, Any], folder: Path) -> Names:
    given = {}
    for role, default in Names()._asdict().items():
        value = config.get(f"{role}_token", default)
        name = value.get("content") if isinstance(value, dict) else value
        if not isinstance(name, str):
            raise DataError(f"{role}_token is {value!r}, not a piece", folder / CONFIG)
        given[role] = name
    return Names(**given)
