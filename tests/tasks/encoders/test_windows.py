"""Windows over long contexts: every piece is read, and the best span is the one with the most context, in any cut."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from usage_examples import PEOPLE, PLACES, VERBS, bert, draw, examples_of, vectors

from firth.config.tasks import LONGEST_ANSWER
from firth.config.usages import Evaluation, Head
from firth.errors import DataError
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Reading, Windows
from firth.tasks.encoders.sources import Source
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.encoders.windows import Scores, best_span, context, windows
from firth.tasks.evaluation.score import score_task
from firth.tasks.usages.answering import Answering

BERT = BertEncoder(bert(positions=128))
CUTS = st.tuples(st.integers(0, 400), st.integers(1, 90), st.integers(1, 90))


@given(CUTS)
@example((384, 317, 128))
def test_windows_cover_every_piece_and_none_is_needless(cut) -> None:
    pieces, room, stride = cut
    found = windows(pieces, room, stride)
    assert {piece for begin, end in found for piece in range(begin, end)} == set(range(pieces))
    assert found[0][0] == 0 and found[-1][1] == pieces
    assert all(end - begin <= room for begin, end in found)
    assert all(end < pieces for _, end in found[:-1]), "what ends with the text is the last one"
    steps = {after[0] - before[0] for before, after in itertools.pairwise(found)}
    assert steps <= {min(stride, room)}


@given(st.integers(1, 400), st.integers(1, 60), st.integers(LONGEST_ANSWER - 1, 60))
def test_where_windows_share_enough_every_answer_is_whole_in_one(pieces, stride, shared) -> None:
    found = windows(pieces, stride + shared, stride)
    for first in range(pieces):
        last = min(pieces, first + LONGEST_ANSWER) - 1
        assert any(begin <= first and last < end for begin, end in found)


def by_hand(read: list[Scores], longest: int) -> tuple[int, int]:
    """The definition, word by word: each span asked of one window, the first of the greatest sums wins."""
    pieces = max(begin + len(starts) for begin, starts, _ in read)
    best, answer = -np.inf, (-1, -1)
    for first in range(pieces):
        for last in range(first, min(pieces, first + longest)):
            holding = [w for w in read if w.begin <= first and last < w.begin + len(w.starts)]
            if not holding:
                continue
            most = max(
                holding,
                key=lambda w: min(first - w.begin, w.begin + len(w.starts) - 1 - first) + 0.01 * len(w.starts),
            )
            score = most.starts[first - most.begin] + most.ends[last - most.begin]
            if score > best:
                best, answer = score, (first, last)
    return answer


@given(
    st.tuples(st.integers(1, 24), st.integers(1, 12), st.integers(1, 12)),
    st.integers(1, 6),
    st.integers(0, 2**32),
)
@example((16, 8, 4), 3, 0)
def test_the_best_span_is_by_most_context(cut, longest, seed) -> None:
    chance = np.random.default_rng(seed)
    # Few different scores: ties are there to be broken.
    read = [Scores(begin, *chance.integers(-3, 4, (2, end - begin)).astype(np.float32)) for begin, end in windows(*cut)]
    assert best_span(read, longest) == by_hand(read, longest)


@given(st.integers(1, 900), st.integers(0, 2**32))
def test_with_the_papers_windows_it_is_the_answer_of_the_papers_rule(pieces, seed) -> None:
    """A start counts in the window of its most context only, its end in the same window; all starts and ends tried."""
    chance = np.random.default_rng(seed)
    read = [
        Scores(begin, *chance.normal(size=(2, end - begin)).astype(np.float32))
        for begin, end in windows(pieces, 384 - 64 - 3, 128)
    ]
    of_piece = np.full((len(read), pieces), -1.0)
    for row, (begin, starts, _) in enumerate(read):
        of_piece[row, begin : begin + len(starts)] = context(len(starts))
    chosen = of_piece.argmax(axis=0)
    best, answer = -np.inf, (-1, -1)
    for row, (begin, starts, ends) in enumerate(read):
        for first in np.flatnonzero(chosen[begin : begin + len(starts)] == row):
            last = first + int(ends[first : first + LONGEST_ANSWER].argmax())
            if starts[first] + ends[last] > best:
                best, answer = starts[first] + ends[last], (begin + first, begin + last)
    assert best_span(read, LONGEST_ANSWER) == answer


def test_an_answer_has_at_most_thirty_rows() -> None:
    starts, ends = np.zeros(40, np.float32), np.zeros(40, np.float32)
    starts[0], ends[LONGEST_ANSWER] = 5.0, 5.0
    assert best_span([Scores(0, starts, ends)], LONGEST_ANSWER) != (0, LONGEST_ANSWER)
    ends[LONGEST_ANSWER - 1] = 4.0
    assert best_span([Scores(0, starts, ends)], LONGEST_ANSWER) == (0, LONGEST_ANSWER - 1)


WORDS = st.sampled_from([*PEOPLE, *PLACES, *VERBS, "camera", "the", "café—", "x" * 120, "Unheard", "."])
MOST_WORDS = 4
"""Of an answer in the tests: of at most 7 pieces each."""


def problem(folder: Path, examples: list[dict[str, Any]], **manifest: Any) -> Answering:
    return Answering(examples_of(folder, "span", examples, examples, **manifest))


def told(task: Answering, reading: Reading) -> np.ndarray:
    """Scores of one who knows the answer wherever it is whole in a window, and nothing elsewhere."""
    targets = task.targets(reading)
    logits = np.zeros((int(reading.counts.sum()), 2), np.float32)
    for side, rows in enumerate((targets.first, targets.last)):
        logits[reading.starts[targets.usable] + rows[targets.usable], side] = 1.0
    return logits


@given(st.data())
def test_an_oracle_gets_the_true_answer_whatever_the_windows(tmp_path_factory, data) -> None:
    words = data.draw(st.lists(WORDS, min_size=1, max_size=90))
    text = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    answer = " ".join(words[first : first + data.draw(st.integers(1, MOST_WORDS))])
    start = len(" ".join([*words[:first], ""]))
    length = data.draw(st.integers(4 + LONGEST_ANSWER, 140))
    asked = data.draw(st.integers(1, min(length, 128) - 3 - LONGEST_ANSWER))
    one = {
        "id": "q",
        "context": text,
        "question": data.draw(st.sampled_from(["who", "where did it go", "the " * 90])),
        "answers": [{"text": answer, "start": start}],
    }
    folder = tmp_path_factory.mktemp("p")
    task = problem(folder, [one], length=length, doc_stride=data.draw(st.integers(1, 128)), query_length=asked)
    reading = task.read(BERT, [one])
    assert all(len(item.ids) <= min(length, 128) for item in reading.inputs)
    assert task.reach(reading) == {"answers_read": 1.0}
    assert task.predict(told(task, reading), reading) == [answer]


def test_windows_of_several_contexts_belong_to_their_examples(tmp_path) -> None:
    examples = draw("span", 6, 1)
    for number, one in enumerate(examples):
        one["context"] = "the film " * 30 * number + one["context"]
        one["answers"][0]["start"] += len("the film ") * 30 * number
    task = problem(tmp_path, examples, length=64, doc_stride=8, query_length=8)
    reading = task.read(BERT, examples)
    assert reading.owners is not None
    assert np.bincount(reading.owners).tolist()[:2] == [1, 3]
    assert task.predict(told(task, reading), reading) == [one["answers"][0]["text"] for one in examples]
    targets = task.targets(reading)
    assert len(targets.usable) < len(reading.inputs), "windows without the answer are not learned from"
    assert reading.owned(targets.usable) == 6
    cut = problem(tmp_path, examples, length=64)
    assert cut.reach(cut.read(BERT, examples)) == {"answers_read": pytest.approx(1 / 6)}


def test_a_context_that_fits_is_read_as_without_windows() -> None:
    examples = draw("span", 8, 1)
    asked = [one["question"] for one in examples], [one["context"] for one in examples]
    plain, cut = BERT.spans(*asked, 64), BERT.spans(*asked, 64, Windows(16, 12))
    assert plain.inputs == cut.inputs
    assert plain.counts.tolist() == cut.counts.tolist()
    assert cut.owners is not None and cut.owners.tolist() == list(range(8))


def test_a_long_question_is_cut_and_a_small_model_takes_smaller_steps() -> None:
    reading = BERT.spans(["who the " * 90], ["the film " * 100], 384, Windows(128, 64))
    assert [len(item.ids) for item in reading.inputs[:-1]] == [128] * (len(reading.inputs) - 1)
    assert all(item.segments.index(1) == 64 + 2 for item in reading.inputs)
    room = 128 - 64 - 3
    assert reading.begins is not None and set(np.diff(reading.begins)) == {room - LONGEST_ANSWER + 1}
    assert reading.begins[-1] + reading.counts[-1] == 200
    with pytest.raises(DataError, match="reads 64 pieces at a time: with query_length 61 nothing is left for the text"):
        BertEncoder(bert(positions=64), title="ours").spans(["who"], ["the"], 384, Windows(128, 61))


def test_vectors_read_a_context_whole() -> None:
    static = StaticEncoder(vectors())
    assert static.spans(["who"], ["the film " * 30], 16).counts.tolist() == [16]
    assert static.spans(["who"], ["the film " * 30], 16, Windows(2, 4)).counts.tolist() == [60]


def test_nothing_to_read_has_the_empty_answer(tmp_path) -> None:
    examples = draw("span", 3, 1)
    examples[1]["context"] = "\u200b"
    task = problem(tmp_path, examples, length=64, doc_stride=16, query_length=12)
    reading = task.read(BERT, examples)
    assert reading.counts.tolist()[1] == 0
    assert task.predict(told(task, reading), reading)[1] == ""


def test_answers_behind_the_first_window_are_learned_and_found(tmp_path) -> None:
    def far(seed: int, count: int) -> list[dict[str, Any]]:
        examples = draw("span", count, seed)
        for one in examples:
            one["context"] = "the film was rather " * 20 + one["context"]
            one["answers"][0]["start"] += len("the film was rather ") * 20
        return examples

    examples = examples_of(tmp_path, "span", far(1, 80), far(2, 40), length=64, doc_stride=16, query_length=12)
    settings = Evaluation(bootstrap=100, head=Head(epochs=20, batch=16, weight_decay=1.0), threads=1, seeds=[1])
    encoders = {"vectors": Source("v", lambda: StaticEncoder(vectors())), "model": Source("m", lambda: BERT)}
    for system in score_task(examples, encoders, settings).results["systems"]:
        assert system["details"]["answers_read"] == 1.0
        assert system["details"]["learned_from"] == 80
        assert system["score"] > 0.4
        assert not system["tie_with_majority"]
