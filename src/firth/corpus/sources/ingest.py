"""One source into Parquet documents, with what was left out and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firth.canonical import write_json
from firth.config.corpora import AnySource
from firth.corpus.drops import Drops
from firth.corpus.folders import whole_folder
from firth.corpus.sources.documents import Document
from firth.corpus.sources.opening import open_source
from firth.errors import DataError
from firth.progress import Meter
from firth.shards import RAW_SCHEMA, write_shards
from firth.textkeys import reserved_for_evaluation, text_digest

REPEATED = "repeated passage"
RESERVED = "reserved for evaluation"
SHARD_BYTES = 64 * 2**20


def ingest(name: str, source: AnySource, data: Path) -> dict[str, Any]:
    """Read corpus `name` into `data/raw/<name>`; the manifest that was written there.

    Document ids are `<name>-<number in the source>`, so that they sort in the source's order and name the record even
    where others were dropped. The folder appears whole or not at all.

    Raises:
        FirthError: the source is missing, damaged, not the pinned one, or without a word of text.
    """
    opened = open_source(name, source)
    total = opened.bytes.total
    with whole_folder(data / "raw" / name, data / f".part-raw-{name}") as folder:
        with Meter(f"ingest {name}", None, "documents") as meter:

            def shown() -> Iterator[tuple[dict[str, Any], int]]:
                for row in _rows(name, opened.documents, source.evaluation_share, opened.drops):
                    yield row
                    read = opened.bytes.done / 1e6
                    meter.advance(1, f"{read:.1f} of {total / 1e6:.1f} MB" if total else "")

            entries = write_shards(shown(), folder, RAW_SCHEMA, SHARD_BYTES)
        drops = opened.drops.by_reason()
        manifest: dict[str, Any] = {
            "corpus": name,
            "source": source.model_dump(mode="json"),
            "shards": entries,
            "documents": sum(entry["documents"] for entry in entries),
            "words": sum(entry["words"] for entry in entries),
            "drops": drops,
        }
        if not manifest["words"]:
            dropped = ", ".join(f"{drop['documents']} {drop['reason']}" for drop in drops)
            raise DataError(f"corpora.{name}: the source holds no text{f' (dropped: {dropped})' if dropped else ''}")
        write_json(folder / "manifest.json", manifest)
    return manifest


def _rows(
    name: str, documents: Iterator[Document], evaluation_share: float, drops: Drops
) -> Iterator[tuple[dict[str, Any], int]]:
    """Rows of `RAW_SCHEMA` with their words.

    A source that an evaluation task shares lists a passage once per question: each passage is taken once. Elsewhere
    repeated texts are kept, for validation to judge and `prepare` to drop.
    """
    seen: set[bytes] = set()
    for number, document in enumerate(documents, start=1):
        if evaluation_share > 0:
            key = text_digest(document.text)[:16]
            example = f"{document.locator}: {document.text[:1000]}"
            if key in seen:
                drops.add(REPEATED, example)
                continue
            seen.add(key)
            if reserved_for_evaluation(document.text, evaluation_share):
                drops.add(RESERVED, example)
                continue
        row = {
            "doc_id": f"{name}-{number:07d}",
            "source": name,
            "title": document.title,
            "text": document.text,
        }
        yield row, len(document.text.split())
