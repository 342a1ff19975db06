"""Model folders: `config.json`, `model.safetensors` and the tokenizer's three files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from firth.bert.architecture import Architecture
from firth.bert.model import Pretraining
from firth.canonical import read_json, write_json
from firth.errors import ConfigError, DataError, FirthError, IntegrityError
from firth.wordpiece.tokenizer import Tokenizer

FORMAT = "firth-bert"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
HEADS = ("pooler", "mlm", "nsp")
"""The parts that another model may lack."""
TRAINED, NEW = "trained", "new"


@dataclass
class Bert:
    """A model, its tokenizer, and which of its heads are trained."""

    model: Pretraining
    tokenizer: Tokenizer
    heads: dict[str, str]
    """`trained` or `new` (random) for `pooler`, `mlm` and `nsp`."""


def save(folder: Path, bert: Bert) -> None:
    """Write a model folder, which appears complete or not at all; a model folder that is there is replaced.

    Raises:
        FirthError: `folder` holds something else, or cannot be written.
    """
    check_tokenizer(bert.model.architecture, bert.tokenizer, folder)
    with whole_folder(folder, replaced=is_model_folder) as part:
        write_json(
            part / CONFIG, {"format": FORMAT, "architecture": asdict(bert.model.architecture), "heads": bert.heads}
        )
        write_weights(part / WEIGHTS, bert.model.state_dict())
        bert.tokenizer.save(part, bert.model.architecture.positions)


def load(folder: Path) -> Bert:
    """Read a model folder that `save` wrote; the model is in evaluation mode.

    Raises:
        DataError: it is none, or of another format.
        IntegrityError: its parts do not fit together; the tensor is named.
    """
    config = folder / CONFIG
    if not config.is_file():
        raise DataError(f"not a model folder: it has no {CONFIG}", folder)
    read = read_json(config)
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        found = read.get("format") if isinstance(read, dict) else None
        raise DataError(f"format is {found!r}, not {FORMAT!r}: not a model folder of Firth", config)
    architecture = _architecture(read.get("architecture"), config)
    heads = read.get("heads")
    if not isinstance(heads, dict) or set(heads) != set(HEADS) or not set(heads.values()) <= {TRAINED, NEW}:
        raise DataError(f"heads must say {TRAINED} or {NEW} for each of {', '.join(HEADS)}; it is {heads!r}", config)
    tokenizer = Tokenizer.load(folder)
    check_tokenizer(architecture, tokenizer, folder)
    return Bert(with_weights(architecture, read_weights(folder / WEIGHTS), folder / WEIGHTS), tokenizer, heads)


def is_model_folder(folder: Path) -> bool:
    """Whether `folder` is one of Firth's, by its `config.json`."""
    try:
        read = read_json(folder / CONFIG)
    except IntegrityError:
        return False
    return isinstance(read, dict) and read.get("format") == FORMAT


def check_tokenizer(architecture: Architecture, tokenizer: Tokenizer, folder: Path) -> None:
    """`IntegrityError` where the tokenizer's pieces are not those that the model has embeddings for."""
    if len(tokenizer) != architecture.vocabulary:
        raise IntegrityError(
            f"{folder}: the tokenizer has {len(tokenizer)} pieces, the model embeddings for {architecture.vocabulary}"
        )


def with_weights(architecture: Architecture, weights: Mapping[str, Tensor], path: Path) -> Pretraining:
    """A model of exactly these weights, in evaluation mode; `IntegrityError` names a tensor that does not fit."""
    with torch.device("meta"):
        model = Pretraining(architecture)
    wanted = model.state_dict()
    for name, tensor in wanted.items():
        if name not in weights:
            raise IntegrityError(f"{path}: the tensor {name} is missing")
        if weights[name].shape != tensor.shape:
            raise IntegrityError(
                f"{path}: {name} has the shape {tuple(weights[name].shape)}, but config.json makes it "
                f"{tuple(tensor.shape)}"
            )
        if not weights[name].is_floating_point():
            raise IntegrityError(f"{path}: {name} holds {weights[name].dtype}, not floating-point numbers")
    if extra := sorted(set(weights) - set(wanted)):
        raise IntegrityError(f"{path}: {extra[0]} is no tensor of this model")
    model.load_state_dict({name: weights[name].to(torch.float32) for name in wanted}, assign=True)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model.eval()


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU."""
    if not path.is_file():
        raise IntegrityError(f"{path}: no such file")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise IntegrityError(f"{path}: torn or not safetensors ({error})") from None


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """A safetensors file of float32 tensors; the same weights give the same bytes."""
    plain = {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in weights.items()}
    # Other libraries ask for "format"; a second entry would stand in random order.
    try:
        save_file(plain, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise FirthError(f"{path}: cannot be written ({error})") from None


@contextmanager
def whole_folder(target: Path, replaced: Callable[[Path], bool]) -> Iterator[Path]:
    """A new folder to fill, which takes `target`'s place when the block ends well and goes away when it does not.

    An empty `target` is taken, and one of which `replaced` is true; any other is refused.
    """
    if target.exists() and not (target.is_dir() and (not any(target.iterdir()) or replaced(target))):
        raise FirthError(f"{target}: is there already and holds something else; name a new or an empty folder")
    part = target.with_name(f".{target.name}.part")
    old = target.with_name(f".{target.name}.old")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
        part.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise FirthError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if old.exists() and not target.exists():
            old.rename(target)


def _architecture(read: Any, path: Path) -> Architecture:
    names = [field.name for field in fields(Architecture)]
    if not isinstance(read, dict) or set(read) != set(names):
        raise DataError(f"architecture must have exactly the keys {', '.join(names)}", path)
    try:
        return Architecture(**read)
    except ConfigError as error:
        raise DataError(str(error), path) from None
