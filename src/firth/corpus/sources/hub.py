"""A data set on the Hugging Face hub, streamed row by row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from firth.config.corpora import HubSource
from firth.corpus.drops import Drops
from firth.corpus.sources.documents import Document
from firth.corpus.sources.formats import NO_TEXT
from firth.errors import DataError
from firth.hub import labelled, rows
from firth.records import tidy


def read_hub(source: HubSource, drops: Drops) -> Iterator[Document]:
    """Documents of a data set at the pinned revision, in the hub's order.

    Raises:
        FirthError: the hub cannot be reached, or does not have this data set, subset, split or revision.
        DataError: a row without the text column.
    """
    label = labelled(source.dataset, source.subset)
    found = rows(source.dataset, source.subset, source.split, source.revision)
    for number, row in enumerate(islice(found, source.max_documents)):
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
