"""Tags with a document around the sentence, and with label X on further pieces: what is read, learned and scored."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from usage_examples import bert, draw, examples_of, vectors

from firth.config.usages import Evaluation, Head
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Around, Reading
from firth.tasks.encoders.sources import Source
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.evaluation.score import score_task
from firth.tasks.learning.heads import ClassTargets
from firth.tasks.usages.tagging import Tagging

BERT = BertEncoder(bert())
STATIC = StaticEncoder(vectors())
WORDS = ["the", "camera", "Leeds", "left", "unheard", "\u200b"]
SETTINGS = Evaluation(bootstrap=100, head=Head(epochs=30, batch=16, weight_decay=1.0), threads=1, seeds=[1])
ENCODERS = {"vectors": Source("v", lambda: STATIC), "model": Source("m", lambda: BERT)}


def pieces(reading: Reading, number: int = 0) -> list[str]:
    return [BERT.bert.tokenizer.vocabulary[piece] for piece in reading.inputs[number].ids]


def test_words_of_the_document_stand_around_the_sentence_and_give_no_rows() -> None:
    reading = BERT.words([["Anna", "left"]], 32, [Around(["the", "camera"], ["Leeds", "."])])
    assert pieces(reading) == ["[CLS]", "the", "cam", "##era", "anna", "left", "leeds", ".", "[SEP]"]
    assert reading.inputs[0].rows == [4, 5]
    assert reading.counts.tolist() == [2]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (9, 9, (3, 3)),
        (0, 9, (0, 6)),
        (9, 0, (6, 0)),
        (1, 9, (1, 5)),
        (9, 2, (4, 2)),
        (2, 1, (2, 1)),
    ],
)
def test_what_one_side_leaves_the_other_takes(before: int, after: int, expected: tuple[int, int]) -> None:
    reading = BERT.words([["Anna", "left"]], 10, [Around(["the"] * before, ["film"] * after)])
    assert (pieces(reading).count("the"), pieces(reading).count("film")) == expected


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=30),
    st.lists(st.sampled_from(WORDS), max_size=40),
    st.lists(st.sampled_from(WORDS), max_size=40),
    st.integers(16, 80),
    st.booleans(),
)
def test_the_sentence_goes_before_what_is_around_it(sentence, before, after, length, further) -> None:
    most = min(length, 64)
    alone, around = (
        BERT.words([sentence], length, None, further),
        BERT.words([sentence], length, [Around(before, after)], further),
    )
    assert alone.counts.tolist() == around.counts.tolist()
    for reading in (alone, around):
        assert len(reading.inputs[0].ids) <= most
        assert (reading.inputs[0].ids[0], reading.inputs[0].ids[-1]) == (2, 3)
    ids = [[reading.inputs[0].ids[row] for row in reading.inputs[0].rows] for reading in (alone, around)]
    assert ids[0] == ids[1]
    every = sum(len(one) for one in BERT.bert.tokenizer.words([*before, *sentence, *after]))
    assert len(around.inputs[0].ids) == min(most, every + 2), "as much of the document as fits"
    if further:
        assert around.firsts is not None
        assert around.firsts.sum() == BERT.words([sentence], length).counts[0]


def test_further_pieces_are_x_in_training_and_never_an_answer(tmp_path: Path) -> None:
    example = {"id": "1", "tokens": ["camera", "left", "unheard"], "tags": ["B-LOC", "O", "B-PER"]}
    task = Tagging(examples_of(tmp_path, "tagging", [example], [example], pieces="x"))
    reading = task.read(BERT, [example])
    assert pieces(reading)[1:4] == ["cam", "##era", "left"]
    targets = task.targets(reading)
    assert isinstance(targets, ClassTargets)
    tags, x = ["B-LOC", "B-PER", "O"], 3
    assert targets.columns == 4
    assert targets.classes.tolist() == [tags.index("B-LOC"), x, tags.index("O"), tags.index("B-PER"), *[x] * 6]
    logits = np.zeros((len(targets.classes), 4), np.float32)
    logits[np.arange(len(logits)), targets.classes] = 1.0
    assert task.predict(logits, reading) == [example["tags"]]
    logits[:, x] = 9.0
    assert task.predict(logits, reading) == [example["tags"]]


def test_a_sentence_that_is_cut_counts_words_not_pieces(tmp_path: Path) -> None:
    example = {"id": "1", "tokens": ["camera"] * 10, "tags": ["B-LOC", *["O"] * 9]}
    for more, rows in (({}, 3), ({"pieces": "x"}, 6)):
        task = Tagging(examples_of(tmp_path, "tagging", [example], [example], length=8, **more))
        reading = task.read(BERT, [example])
        assert reading.counts.tolist() == [rows]
        assert task.reach(reading) == {"words_read": 0.3}
        (tags,) = task.predict(np.zeros((rows, 3), np.float32), reading)
        assert tags == ["B-LOC"] * 3 + ["O"] * 7
        assert len(task.targets(reading).classes) == rows


def test_vectors_see_the_neighbours_beyond_the_sentence_and_no_pieces() -> None:
    sentence, around = ["Anna", "left"], [Around(["the", "film"], ["Leeds"])]
    whole = STATIC.features(STATIC.words([["film", "Anna", "left", "Leeds"]], 32))
    np.testing.assert_array_equal(STATIC.features(STATIC.words([sentence], 32, around, True)), whole[1:3])
    cut = STATIC.features(STATIC.words([sentence], 1, around))
    np.testing.assert_array_equal(cut, STATIC.features(STATIC.words([["film", "Anna"]], 32))[1:])


def documents(count: int, seed: int) -> list[dict[str, Any]]:
    """A person where the document is of people, a place of the same name where it is of places."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        people = chance.random() < 0.5
        beside = ["who", "said"] if people else ["where", "in"]
        made.append(
            {
                "id": f"{seed}-{number}",
                "tokens": ["Leeds"],
                "tags": ["B-PER" if people else "B-LOC"],
                "before": beside,
                "after": beside,
            }
        )
    return made


def test_what_only_the_document_tells_is_learned(tmp_path: Path) -> None:
    for wanted in (True, False):
        more = {"document_context": True} if wanted else {}
        examples = examples_of(tmp_path, "tagging", documents(80, 1), documents(40, 2), **more)
        for system in score_task(examples, ENCODERS, SETTINGS).results["systems"]:
            assert (system["score"] > 0.9) is wanted, system


def test_label_x_is_as_good_on_words_of_one_piece(tmp_path: Path) -> None:
    train, dev = draw("tagging", 60, 1), draw("tagging", 30, 2)
    scores = [
        [
            system["score"]
            for system in score_task(examples_of(tmp_path, "tagging", train, dev, **more), ENCODERS, SETTINGS).results[
                "systems"
            ]
        ]
        for more in ({}, {"pieces": "x"})
    ]
    assert scores[0][0] == scores[1][0], "vectors know no pieces"
    assert min(scores[0] + scores[1]) > 0.85
