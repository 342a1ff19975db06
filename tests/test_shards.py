"""Shards: what goes in comes out, in order and byte for byte; a torn or altered shard is named."""

from collections.abc import Callable
from pathlib import Path

import pytest
from damage import flip, tear
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import IntegrityError
from firth.shards import RAW_SCHEMA, read_shards, write_shards

TEXTS = [f"Document {number} tells of Firth, who taught in Lahore, Leeds and London." * 3 for number in range(200)]


def documents(texts: list[str]) -> list[tuple[dict[str, str], int]]:
    return [
        ({"doc_id": f"c-{i:07d}", "source": "c", "title": f"t{i}", "text": text}, len(text.split()))
        for i, text in enumerate(texts)
    ]


def test_documents_come_back_in_order_from_several_shards(tmp_path: Path) -> None:
    entries = write_shards(documents(TEXTS), tmp_path, RAW_SCHEMA, shard_bytes=5000)
    assert len(entries) > 3
    assert sum(entry["documents"] for entry in entries) == len(TEXTS)
    assert sum(entry["words"] for entry in entries) == sum(len(text.split()) for text in TEXTS)
    assert [row["text"] for row in read_shards(tmp_path, entries)] == TEXTS
    assert list(read_shards(tmp_path, entries, columns=["title"]))[1] == {"title": "t1"}


def test_the_same_documents_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_shards(documents(TEXTS), tmp_path / "a", RAW_SCHEMA, shard_bytes=5000)
    second = write_shards(documents(TEXTS), tmp_path / "b", RAW_SCHEMA, shard_bytes=5000)
    assert first == second


@given(st.lists(st.text(max_size=80), max_size=30), st.integers(1, 300))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, texts: list[str], shard_bytes: int) -> None:
    folder = tmp_path_factory.mktemp("shards")
    encodable = [text.encode("utf-8", "ignore").decode("utf-8") for text in texts]
    entries = write_shards(documents(encodable), folder, RAW_SCHEMA, shard_bytes)
    assert [row["text"] for row in read_shards(folder, entries)] == encodable


@pytest.mark.parametrize(("harm", "says"), [(Path.unlink, "missing"), (tear, "torn"), (flip, "altered")])
def test_a_harmed_shard_is_named(tmp_path: Path, harm: Callable[[Path], None], says: str) -> None:
    entries = write_shards(documents(TEXTS), tmp_path, RAW_SCHEMA, shard_bytes=5000)
    harm(tmp_path / entries[1]["file"])
    with pytest.raises(IntegrityError, match=f"shard-00001.*{says}"):
        list(read_shards(tmp_path, entries))
