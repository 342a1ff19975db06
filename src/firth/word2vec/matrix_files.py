"""The matrices of a training on disk: `vectors.safetensors`, beside `vocabulary.tsv`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from firth.canonical import dumps, write_atomic
from firth.config.word2vec import Subwords
from firth.errors import DataError, IntegrityError
from firth.tokens import vocabulary as vocabularies
from firth.tokens.vocabulary import Vocabulary

FILE = "vectors.safetensors"

NAMES = ("input", "output", "nodes", "ngrams")
"""Matrices that a file may hold: see `engine.Engine`."""

CHECKED = 1 << 24
"""Numbers looked at together."""


def save_matrices(
    folder: Path,
    vocabulary: Vocabulary,
    matrices: Mapping[str, NDArray[np.float32]],
    subwords: Subwords | None = None,
) -> None:
    """Write matrices and vocabulary; the same values give the same bytes.

    `matrices`: `input` (vocabulary, dim), and what else `Engine.vectors` names. `subwords` are kept beside `ngrams`,
    which mean nothing without them.
    """
    if unknown := set(matrices) - set(NAMES):
        raise ValueError(f"{', '.join(sorted(unknown))}: not a matrix of word2vec; one of {', '.join(NAMES)}")
    for name in ("input", "output"):
        if name in matrices and (matrices[name].ndim != 2 or len(matrices[name]) != len(vocabulary)):
            raise IntegrityError(
                f"{len(vocabulary)} words but a matrix of shape {matrices[name].shape}: not of the same training"
            )
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: np.ascontiguousarray(matrix, np.float32) for name, matrix in matrices.items()}
    about = {"subwords": dumps(subwords.model_dump())} if subwords is not None and "ngrams" in kept else None
    write_atomic(folder / FILE, save(kept, metadata=about))
    vocabulary.save(folder / vocabularies.FILE)


def load_matrices(folder: Path, names: Collection[str] = NAMES) -> dict[str, NDArray[np.float32]]:
    """Those of `names` that lie in `folder`, checked.

    Raises:
        IntegrityError, DataError: the file is not there, torn, or holds no `input`; a matrix is not float32 or finite.
    """
    path = folder / FILE
    with _opened(folder) as file:
        if "input" not in file.keys():  # noqa: SIM118 - not a dict
            raise DataError("no matrix 'input' in it", path)
        matrices: dict[str, NDArray[np.float32]] = {
            name: file.get_tensor(name) for name in NAMES if name in names and name in file.keys()  # noqa: SIM118
        }  # fmt: skip
    for name, matrix in matrices.items():
        if matrix.ndim != 2 or matrix.dtype != np.float32:
            raise DataError(f"{name!r} is not a float32 matrix", path)
        together = max(1, CHECKED // max(1, matrix.shape[1]))
        if not all(np.isfinite(matrix[at : at + together]).all() for at in range(0, len(matrix), together)):
            raise IntegrityError(f"{path}: the matrix {name!r} holds values that are not finite")
    return matrices


def names_in(folder: Path) -> set[str]:
    """The matrices that lie in `folder`."""
    with _opened(folder) as file:
        return set(file.keys())


def load_subwords(folder: Path) -> Subwords | None:
    """How the n-grams in `folder` were made; None where there are none.

    Raises:
        IntegrityError: n-grams without their settings, or with settings that are none.
    """
    with _opened(folder) as file:
        if "ngrams" not in file.keys():  # noqa: SIM118 - not a dict
            return None
        written = (file.metadata() or {}).get("subwords")
    if written is None:
        raise IntegrityError(f"{folder / FILE}: n-grams without the settings that they were trained with")
    try:
        return Subwords.model_validate_json(written)
    except ValidationError:
        raise IntegrityError(f"{folder / FILE}: the n-grams' settings cannot be read: {written[:80]!r}") from None


@contextmanager
def _opened(folder: Path) -> Iterator[Any]:
    path = folder / FILE
    if not path.is_file():
        raise IntegrityError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise IntegrityError(f"{path}: torn or not a safetensors file ({error})") from None
