"""What names a model on the command line: a folder, a model of this project, or `MODEL@alias` of the registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from firth.errors import FirthError
from firth.project import find_root

WORDS = ("skipgram", "cbow")
"""Models of a project that are word vectors."""

MODELS = (*WORDS, "bert")
"""All models of a project."""


def folder_of(address: str, models: Sequence[str] = MODELS) -> Path:
    """The folder behind `address`; as a model of this project it may be one of `models`.

    Raises:
        FirthError: there is none; the error says what would be one.
    """
    path = Path(address).expanduser()
    if path.is_dir():
        return path
    if "@" in address:
        from firth.registry import versions

        name = address.partition("@")[0]
        wanted = models[0] if len(models) == 1 or "bert" not in models else versions.model_of(name)
        fetch = versions.fetch_model if wanted == "bert" else versions.fetch_vectors
        return fetch(address, find_root())
    root = root_or_none()
    if root is None:
        raise FirthError(f"{address}: no such folder, and this is not a Firth project, whose models have names")
    if address not in models:
        raise FirthError(
            f"{address}: neither a folder nor a model of this project ({', '.join(models)}) nor MODEL@alias"
        )
    folder = root / "data" / ("models" if address == "bert" else "vectors") / address
    if not folder.is_dir():
        raise FirthError(f"{address} is not trained yet: `firth run` does it")
    return folder


def root_or_none() -> Path | None:
    """The project's root; None outside a project."""
    try:
        return find_root()
    except FirthError:
        return None
