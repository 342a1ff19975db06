"""Rows of data sets on the Hugging Face hub: streamed as they are, or as pinned JSON Lines, fetched once and kept.

Not run against the hub in this project's tests, whose machines cannot reach it: the tests replace `load_dataset` by one
that streams rows, and check the error that the real one gives without a network.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from firth.canonical import file_sha256
from firth.errors import DataError, FirthError, IntegrityError
from firth.progress import Meter
from firth.project import kept_folder

STORE = "hub"
FLOATS = {"float16": np.float16, "float32": np.float32}
"""Numbers that are written with the digits of their own precision: 3.8, not 3.799999952316284."""


def rows(dataset: str, subset: str | None, split: str, revision: str) -> Iterator[dict[str, Any]]:
    """The rows of a split, in the hub's order.

    Raises:
        FirthError: the hub cannot be reached, or does not have this data set, subset, split or revision.
    """
    label = labelled(dataset, subset)
    with _one_error(label):
        yield from _opened(dataset, subset, split, revision)


def newest_revision(dataset: str, revision: str | None = None) -> str:
    """The commit that `revision` (a branch, a tag; None: the main branch) is now; errors as for `rows`."""
    import huggingface_hub

    with _one_error(dataset):
        found = huggingface_hub.HfApi().dataset_info(dataset, revision=revision).sha
    if not found:
        raise FirthError(f"{dataset}: the hub names no revision; say which: {dataset}@COMMIT")
    return str(found)


def fetch_rows(dataset: str, subset: str | None, split: str, revision: str, sha256: str | None = None) -> Path:
    """A split as JSON Lines in `.firth/hub`, from there or else from the hub.

    A class is its name, an unknown one (−1, as in test splits) null; columns that hold no texts, numbers, or lists and
    groups of these are left out.

    Args:
        dataset: id on the hub.
        subset: its configuration, if it has several.
        split: train, validation, …
        revision: commit of the data set.
        sha256: what the file's bytes must hash to; None: what comes is taken.

    Raises:
        FirthError: as for `rows`.
        DataError: no row, or no column that can be kept.
        IntegrityError: the hub gives other rows than the pinned ones.
    """
    store = kept_folder(STORE)
    store.mkdir(parents=True, exist_ok=True)
    if sha256 is not None:
        with FileLock(store / f"{sha256}.lock"):
            kept = store / f"{sha256}.jsonl"
            if kept.is_file() and file_sha256(kept) == sha256:
                return kept
            return _written(store, dataset, subset, split, revision, sha256)
    return _written(store, dataset, subset, split, revision, None)


def labelled(dataset: str, subset: str | None) -> str:
    """What leads messages."""
    return f"{dataset} ({subset})" if subset else dataset


def _written(store: Path, dataset: str, subset: str | None, split: str, revision: str, sha256: str | None) -> Path:
    label = f"{labelled(dataset, subset)}, {split}"
    descriptor, name = tempfile.mkstemp(dir=store, prefix="part-")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file, _one_error(label):
            _write(_opened(dataset, subset, split, revision), label, file)
        found = file_sha256(part)
        if sha256 not in (None, found):
            raise IntegrityError(
                f"{label}: the hub's rows have the sha256 {found}, but the parameters pin {sha256}; add the task again "
                "to use them as they are now"
            )
        return part.replace(store / f"{found}.jsonl")
    finally:
        part.unlink(missing_ok=True)


def _write(opened: Any, label: str, file: Any) -> None:
    features, count = getattr(opened, "features", None) or {}, 0
    with Meter(f"{label}: fetching", None, "rows") as meter:
        for row in opened:
            plain = {name: value for name in row if (value := _plain(row[name], features.get(name))) is not _NOT_PLAIN}
            if not plain:
                raise DataError(f"no column of texts or numbers; there are: {', '.join(row)}", label)
            file.write(json.dumps(plain, ensure_ascii=False) + "\n")
            count += 1
            meter.advance(1)
    if not count:
        raise DataError("holds no row", label)


_NOT_PLAIN = object()


def _plain(value: Any, feature: Any) -> Any:
    """`value` as JSON holds it, classes by their names; `_NOT_PLAIN` for pictures, times and other things."""
    import datasets

    if isinstance(feature, datasets.ClassLabel):
        return None if value is None or value < 0 else feature.int2str(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        inner = feature if isinstance(feature, Mapping) else getattr(feature, "feature", None)
        inner = inner if isinstance(inner, Mapping) else {}
        return _all_plain({name: _plain(one, inner.get(name)) for name, one in value.items()})
    if isinstance(value, list):
        return _all_plain([_plain(one, getattr(feature, "feature", None)) for one in value])
    if isinstance(value, float) and (narrow := FLOATS.get(getattr(feature, "dtype", ""))) is not None:
        return float(str(narrow(value)))
    return value if value is None or isinstance(value, str | int | float | bool) else _NOT_PLAIN


def _all_plain(values: Any) -> Any:
    inner = values.values() if isinstance(values, dict) else values
    return _NOT_PLAIN if any(one is _NOT_PLAIN for one in inner) else values


def _opened(dataset: str, subset: str | None, split: str, revision: str) -> Any:
    import datasets
    import huggingface_hub

    # One error at the end instead of a line for every attempt.
    logging.getLogger(huggingface_hub.__name__).setLevel(logging.ERROR)
    return datasets.load_dataset(dataset, subset, split=split, revision=revision, streaming=True)


@contextmanager
def _one_error(label: str) -> Iterator[None]:
    """What the libraries raise, in a line of ours."""
    import datasets
    import httpx2  # what huggingface_hub speaks with
    import huggingface_hub.errors

    try:
        yield
    except FirthError:
        raise
    except (ConnectionError, TimeoutError, httpx2.TransportError) as error:
        raise FirthError(
            f"{label}: the Hugging Face hub cannot be reached ({_line(error)}); use a files or package source offline"
        ) from None
    except (
        FileNotFoundError, ValueError, RuntimeError, datasets.exceptions.DatasetsError,
        huggingface_hub.errors.HfHubHTTPError,
    ) as error:  # fmt: skip
        raise FirthError(f"{label}: the hub does not give this data set: {_line(error)}") from None


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
