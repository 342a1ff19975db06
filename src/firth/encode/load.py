"""A model from a folder, ours or `transformers`'."""

from __future__ import annotations

from pathlib import Path

from firth.bert import folder as folders
from firth.bert.folder import WEIGHTS, Bert
from firth.canonical import file_sha256, value_sha256
from firth.encode.interchange import read_hf, weight_files


def load_model(folder: Path) -> Bert:
    """Read a model folder of Firth or of `transformers`, told apart by `config.json`; it is in evaluation mode.

    Raises:
        DataError: it is neither, or a model that Firth cannot be.
        IntegrityError: its files do not fit together.
    """
    return folders.load(folder) if folders.is_model_folder(folder) else read_hf(folder)


def load_encoder(folder: Path) -> Bert:
    """As `load_model`, for who has no use for pretraining heads: nothing is said of those that the folder lacks."""
    return folders.load(folder) if folders.is_model_folder(folder) else read_hf(folder, say_new=False)


def folder_digest(folder: Path) -> str:
    """sha256 of `model.safetensors`; where the weights lie in several files, of the names and sha256 of all."""
    files = weight_files(folder)
    if [file.name for file in files] == [WEIGHTS]:
        return file_sha256(files[0])
    return value_sha256({file.name: file_sha256(file) for file in files})
