"""Exact statistics against a plain recount."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firth.config.text import Validation
from firth.validation.statistics import Collector, Statistics

TEXTS = st.lists(st.text(st.sampled_from("ab \n.\x00é"), max_size=12), max_size=40)


def collect(documents: list[dict[str, Any]], per_shard: int = 7, bounds: Validation | None = None) -> Statistics:
    collector = Collector(bounds or Validation())
    for start in range(0, len(documents), per_shard):
        collector.shard(f"shard-{start}", documents[start : start + per_shard])
    return collector.finish(lambda numbers: [documents[number] for number in numbers])


def as_documents(texts: list[str]) -> list[dict[str, Any]]:
    return [{"doc_id": f"d{index}", "source": "ab"[index % 2], "text": text} for index, text in enumerate(texts)]


@given(TEXTS)
def test_totals_sources_shards_and_quantiles_are_exact(texts: list[str]) -> None:
    found = collect(as_documents(texts))
    total = found.total
    lengths = sorted(len(text.split()) for text in texts)
    filled = [text for text in texts if text.split()]
    assert total["documents"] == len(texts)
    assert total["words"] == sum(lengths)
    assert total["characters"] == sum(map(len, texts))
    assert total["empty_documents"] == len(texts) - len(filled)
    assert total["duplicate_documents"] == len(filled) - len(set(filled))
    assert total["repeated_ids"] == 0
    for rows in (found.sources, found.shards):
        for name, value in total.items():
            if isinstance(value, int) and name != "longest_word":
                assert sum(row[name] for row in rows) == value, name
    if texts:
        assert found.words_per_document["min"] == lengths[0]
        assert found.words_per_document["max"] == lengths[-1]
        assert found.words_per_document["p50"] == lengths[(len(lengths) + 1) // 2 - 1]
    for one in found.histogram:
        assert one["documents"] == sum(one["from"] <= length <= one["to"] for length in lengths)
    assert sum(one["documents"] for one in found.histogram) == len(texts)


def test_duplicates_count_after_the_first_across_shards_and_sources() -> None:
    found = collect(as_documents(["x y", "other", "x y", "x y", "", ""]), per_shard=2)
    assert found.total["duplicate_documents"] == 2
    assert [row["duplicate_documents"] for row in found.shards] == [0, 2, 0]
    assert {row["source"]: row["duplicate_documents"] for row in found.sources} == {"a": 1, "b": 1}
    assert [example["doc_id"] for example in found.examples["duplicates"]] == ["d2", "d3"]


def test_examples_are_the_worst_documents_earliest_first() -> None:
    bounds = Validation(max_word_length=10)
    texts = ["fine words", "a" * 11, "b" * 30, "c" * 30, "d" * 12]
    found = collect(as_documents(texts), bounds=bounds)
    assert [example["doc_id"] for example in found.examples["long_words"]] == ["d2", "d3", "d4"]
    assert found.total["long_word_documents"] == 4


def test_null_fields_of_a_shard_count_as_empty() -> None:
    found = collect([{"doc_id": None, "source": None, "text": None}])
    assert found.total["empty_documents"] == 1
    assert found.sources[0]["source"] == ""
