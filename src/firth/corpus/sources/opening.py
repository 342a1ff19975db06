"""Any source as a stream of documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firth.config.corpora import AnySource, FileSource, HubSource, PackageSource, Records
from firth.corpus.drops import Drops
from firth.corpus.sources.documents import Document
from firth.corpus.sources.files import file_inputs, inputs_of
from firth.corpus.sources.formats import read_documents
from firth.corpus.sources.hub import read_hub
from firth.corpus.sources.package import package_input
from firth.errors import DataError
from firth.packing import ByteCount, Input, unpacked


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that is being read: its documents, what it dropped so far, and how many of its bytes were read."""

    documents: Iterator[Document]
    drops: Drops
    bytes: ByteCount


def open_source(name: str, source: AnySource) -> Opened:
    """Start to read corpus `name`; documents come one at a time, in an order that the source's bytes fix.

    Raises:
        FirthError: at once where the source is missing or is not the one that is pinned, and while documents are read
            where one is damaged; the message names file and line.
    """
    drops = Drops()
    match source:
        case FileSource():
            inputs: Iterable[Input] = file_inputs(name, source)
        case PackageSource():
            inputs = [package_input(source)]
        case HubSource():
            return Opened(read_hub(source, drops), drops, ByteCount())
    return _opened(list(inputs), source, drops)


def open_files(files: Iterable[Path], records: Records) -> Opened:
    """Start to read files that nobody pinned, in the order in which they are given; errors as `open_source`."""
    return _opened(inputs_of(files), records, Drops())


def _opened(inputs: list[Input], records: Records, drops: Drops) -> Opened:
    count = ByteCount(sum(item.size for item in inputs) or None)
    return Opened(_read(inputs, records, drops, count), drops, count)


def _read(inputs: list[Input], records: Records, drops: Drops, count: ByteCount) -> Iterator[Document]:
    whole_files = records.format == "text" and records.text_documents == "file"
    for item in inputs:
        with unpacked(item, count) as stream:
            if not whole_files and not stream.peek(1):
                raise DataError("empty file", item.where)
            yield from read_documents(stream, item, records, drops)
