"""A data set on the Hugging Face hub, streamed row by row.

Not run against the hub in this project's tests, whose machines cannot reach it: the tests replace `load_dataset` by one
that streams rows, and check the error that the real one gives without a network.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from firth.config.corpora import HubSource
from firth.corpus.drops import Drops
from firth.corpus.sources.documents import Document
from firth.corpus.sources.formats import NO_TEXT
from firth.errors import DataError, FirthError
from firth.records import tidy


def read_hub(source: HubSource, drops: Drops) -> Iterator[Document]:
    """Documents of a data set at the pinned revision, in the hub's order.

    Raises:
        FirthError: the hub cannot be reached, or does not have this data set, subset, split or revision.
        DataError: a row without the text column.
    """
    label = f"{source.dataset} ({source.subset})" if source.subset else source.dataset
    for number, row in enumerate(islice(_rows(source, label), source.max_documents)):
        for field in (source.text_field, source.title_field):
            if field is not None and field not in row:
                raise DataError(f"no column {field!r}; there are: {', '.join(row)}", label)
        text, title = row[source.text_field], row[source.title_field] if source.title_field else None
        locator = f"{source.dataset}:{number}"
        if text is None:
            drops.add(NO_TEXT, locator)
            continue
        if not isinstance(text, str):
            raise DataError(f"column {source.text_field!r} holds {type(text).__name__}, not text", label)
        yield Document("" if title is None else tidy(str(title)), tidy(text), locator)


def _rows(source: HubSource, label: str) -> Iterator[dict[str, Any]]:
    import datasets
    import httpx
    import huggingface_hub

    # One error at the end instead of a line for every attempt.
    logging.getLogger(huggingface_hub.__name__).setLevel(logging.ERROR)
    try:
        yield from datasets.load_dataset(
            source.dataset, source.subset, split=source.split, revision=source.revision, streaming=True
        )
    except (ConnectionError, TimeoutError, httpx.TransportError) as error:
        raise FirthError(
            f"{label}: the Hugging Face hub cannot be reached ({_line(error)}); use a files or package source offline"
        ) from None
    except (FileNotFoundError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise FirthError(f"{label}: the hub does not give this data set: {_line(error)}") from None


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
