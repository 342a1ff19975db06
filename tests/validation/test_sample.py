"""The seeded sample."""

from __future__ import annotations

from collections import Counter

from firth.validation.characters import measure
from firth.validation.sample import Sample


def draw(ids: list[str], size: int, seed: int) -> list[str]:
    sample = Sample(size, seed)
    for number, doc_id in enumerate(ids):
        sample.offer(number, doc_id, "s", "some text", measure("some text"))
    return [row["doc_id"] for row in sample.rows()]


def test_same_seed_same_documents_whatever_their_order() -> None:
    ids = [f"d{number}" for number in range(500)]
    first = draw(ids, 50, seed=7)
    assert first == draw(ids, 50, seed=7)
    assert set(first) == set(draw(ids[::-1], 50, seed=7))
    assert set(first) != set(draw(ids, 50, seed=8))
    assert first == sorted(first, key=ids.index)


def test_small_corpora_are_looked_at_whole() -> None:
    assert draw(["a", "b"], 50, seed=1) == ["a", "b"]
    assert draw([], 50, seed=1) == []


def test_every_document_has_the_same_chance() -> None:
    ids = [f"d{number}" for number in range(40)]
    drawn = Counter(doc_id for seed in range(400) for doc_id in draw(ids, 10, seed))
    assert len(drawn) == 40
    assert all(55 < drawn[doc_id] < 150 for doc_id in ids)  # 100 expected, standard deviation 9
