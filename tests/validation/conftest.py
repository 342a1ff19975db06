"""Small corpora on disk, good ones and ones with a single fault."""

from __future__ import annotations

import importlib
import random
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from firth.canonical import write_json
from firth.config.text import Validation
from firth.shards import RAW_SCHEMA, write_shards

Document = dict[str, str]
WORDS = [
    *("the", "of", "and", "to", "in", "for", "with", "river", "mountain", "village", "history", "people", "water"),
    *("light", "season", "music", "children", "market", "winter", "summer", "teacher", "window", "garden", "letter"),
    *("number", "answer", "question", "journey", "kitchen", "machine", "language", "century", "large", "small"),
    *("early", "quiet", "ordinary", "different", "possible", "national", "public", "travelled", "became", "opened"),
]


@pytest.fixture(scope="session", autouse=True)
def _great_expectations() -> None:
    """Import it once; the warnings of its import (a deprecated module of the standard library) are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("great_expectations")


@pytest.fixture(scope="session")
def good_documents() -> Callable[..., list[Document]]:
    """Different documents of ordinary words from two sources: (count, words, seed)."""
    return _documents


def _documents(count: int = 60, words: int = 40, seed: int = 0) -> list[Document]:
    draw = random.Random(seed)
    return [
        {
            "doc_id": f"doc-{index}",
            "source": "even" if index % 2 == 0 else "odd",
            "title": "",
            "text": " ".join(draw.choice(WORDS) for _ in range(words)).capitalize() + ".",
        }
        for index in range(count)
    ]


@pytest.fixture(scope="session")
def write_corpus() -> Callable[..., Path]:
    """Write documents as raw shards with their manifest."""

    def write(folder: Path, documents: Iterable[dict[str, Any]], shard_bytes: int = 6000) -> Path:
        listed = list(documents)
        shards = write_shards(((one, len(one["text"].split())) for one in listed), folder, RAW_SCHEMA, shard_bytes)
        write_json(folder / "manifest.json", {"corpus": folder.name, "shards": shards, "documents": len(listed)})
        return folder

    return write


@pytest.fixture
def bounds() -> Validation:
    """Bounds that the good documents meet with room to spare."""
    return Validation(sample=30, min_documents=20, min_words=500)
