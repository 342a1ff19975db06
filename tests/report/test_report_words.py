"""Neighbours, opposites, maps and relations on vectors whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.report.inputs import Model, read_model
from firth.report.plane import content_words, relations, word_map
from firth.report.scores import curve, examples, sections, wilson
from firth.report.similar import antonyms, neighbours, random_pairs
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.vectors import Vectors


@pytest.fixture(scope="module")
def model(project: Path) -> Model:
    return read_model(project / "data" / "vectors" / "skipgram")


def test_neighbours_are_those_of_a_plain_sort(model: Model) -> None:
    row = model.index["dog"]
    cosine = model.unit.astype(np.float64) @ model.unit[row]
    order = [i for i in np.argsort(-cosine) if i != row][:10]
    found = neighbours(model, "dog")
    assert [near["word"] for near in found["neighbours"]] == [model.words[i] for i in order]
    assert found["neighbours"][0]["cosine"] == round(float(cosine[order[0]]), 4)
    assert found["count"] == model.counts[row]


def test_opposites_of_one_circle_are_first_and_random_pairs_are_not(model: Model) -> None:
    found = antonyms(model, [("good", "bad"), ("dog", "gold"), ("good", "nowhere")], seed=1)
    first, other, missing = found["pairs"]
    assert first["rank"] == first["rank_back"] == 1
    assert first["cosine"] > found["random"]["high"]
    assert other["rank"] > 1
    assert missing == {"pair": ["good", "nowhere"], "missing": ["nowhere"]}


def test_rank_counts_the_words_that_are_nearer(model: Model) -> None:
    for pair in (("dog", "gold"), ("king", "sea"), ("the", "of")):
        ordered = [near["word"] for near in neighbours(model, pair[0], len(model.words) - 1)["neighbours"]]
        assert antonyms(model, [pair], seed=1)["pairs"][0]["rank"] == ordered.index(pair[1]) + 1


def test_random_pairs_never_pair_a_word_with_itself(model: Model) -> None:
    found = random_pairs(model, 10, seed=3)
    assert found["high"] < 1.0
    assert found == random_pairs(model, 10, seed=3)
    assert found != random_pairs(model, 10, seed=4)


def test_map_leaves_function_words_out_and_groups_circles(model: Model) -> None:
    words = [model.words[row] for row in content_words(model, 400)]
    assert not {"the", "of", "and", "x1", "42"} & set(words)
    assert "dog" in words
    found = word_map(model, 400, seed=1)
    assert [point["word"] for point in found["points"]] == words
    assert all(0 <= point[axis] <= 1 for point in found["points"] for axis in "xy")
    assert sorted(word for group in found["groups"] for word in group) == sorted(words)
    where = {point["word"]: point for point in found["points"]}
    near = np.hypot(where["gold"]["x"] - where["iron"]["x"], where["gold"]["y"] - where["iron"]["y"])
    far = np.hypot(where["gold"]["x"] - where["team"]["x"], where["gold"]["y"] - where["team"]["y"])
    assert near < far


def test_words_too_frequent_to_mean_much_are_left_out_in_any_language() -> None:
    words = ("und", "haus", *("z" + chr(97 + i // 26) + chr(97 + i % 26) for i in range(198)))
    counts = np.array([9000, 8000, *[10] * 198])
    vocabulary = Vocabulary(words, counts)
    model = Model("skipgram", Vectors(vocabulary, np.ones((200, 2), dtype=np.float32)), [], {})
    assert [words[row] for row in content_words(model, 2)] == ["zaa", "zab"]


def test_a_relation_that_is_a_direction_gives_parallel_arrows(model: Model) -> None:
    pairs = [("france", "paris"), ("germany", "berlin"), ("italy", "rome"), ("spain", "madrid")]
    capital, thin = relations(model, {"capital": pairs, "thin": [("man", "woman"), ("he", "she")]})
    assert capital["parallel"] > 0.9
    assert capital["missing"] == ["spain", "madrid"]
    steps = [np.subtract(arrow["to"], arrow["from"]) for arrow in capital["arrows"]]
    assert all(step @ steps[0] > 0 for step in steps)
    assert np.mean(steps, axis=0).min() >= 0
    assert thin["arrows"] == [] and thin["parallel"] is None


@given(st.integers(1, 10_000), st.data())
def test_wilson_holds_the_share_and_stays_inside(total: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, total))
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total + 1e-4 and correct / total - 1e-4 <= high <= 1
    assert low < high


def test_wilson_equals_a_published_case() -> None:
    assert wilson(81, 263) == (0.2553, 0.3662)  # Newcombe (1998), table I, method 3


def test_sections_count_accuracy_over_what_is_covered() -> None:
    (row,) = sections({"family": {"correct": 1, "covered": 2, "total": 10}})
    assert (row["accuracy"], row["covered"], row["total"]) == (0.5, 2, 10)
    (none,) = sections({"family": {"correct": 0, "covered": 0, "total": 10}})
    assert none["accuracy"] is None


def test_examples_take_turns_and_use_the_spelling_of_the_vocabulary() -> None:
    def row(section: str, a: str, c: str, predicted: str | None) -> dict[str, str | None]:
        return {
            "suite": "analogies", "section": section, "a": a, "b": "b", "c": c, "expected": "Yes",
            "predicted": predicted,
        }  # fmt: skip

    rows = [row("one", f"a{i}", f"c{i}", "yes") for i in range(5)] + [row("two", "Paris", "z", "yes")]
    rows += [row("two", "k", "l", "no"), row("two", "m", "n", None)]
    found = examples(rows, {"paris": 0, "yes": 1}, count=3)
    assert [one["section"] for one in found["right"]] == ["one", "two", "one"]
    assert found["right"][1]["a"] == "paris"
    assert [one["predicted"] for one in found["wrong"]] == ["no"]


@given(st.integers(0, 2000))
def test_a_long_curve_keeps_its_mean_and_a_drawable_length(blocks: int) -> None:
    history = [{"step": 10 * (i + 1), "words": 10, "loss": float(i % 7)} for i in range(blocks)]
    train = curve(history)["train"]
    assert len(train) <= 160 and bool(train) == bool(blocks)
    assert train == sorted(train)
    if blocks and blocks <= 160:
        assert [y for _, y in train] == [row["loss"] for row in history]
