"""What an encoder does not read for its length is known of every example, and takes no time."""

from __future__ import annotations

import dataclasses
import time
import tracemalloc

import numpy as np
import pytest
from usage_examples import bert, vectors

from firth.bert.folder import Bert
from firth.bert.model import Pretraining, initialise
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.reading import Encoder, Reading
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.usages.usage import KINDS, Span

ENCODERS: dict[str, Encoder] = {"static": StaticEncoder(vectors()), "bert": BertEncoder(bert())}
LONG, SHORT = "film " * 10_000, "the film was warm"
RECORDS = {
    "text": lambda text: {"text": text},
    "pair": lambda text: {"first": SHORT, "second": text},
    "number": lambda text: {"first": text, "second": SHORT},
    "choice": lambda text: {"context": SHORT, "endings": ["dull", text, "warm"]},
    "tagging": lambda text: {"tokens": text.split()},
    "span": lambda text: {"context": text, "question": "who was it"},
}
USAGES = {
    "text": (["a", "b"], 32), "pair": (["a", "b"], 32), "number": (0.0, 1.0, 32), "choice": (32,),
    "tagging": (["O", "B-PER"], "O", 32), "span": (32,),
}  # fmt: skip


def cut_of(reading: Reading) -> list[bool]:
    assert reading.cut is not None
    return reading.cut.examples.tolist()


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("kind", RECORDS)
def test_ten_thousand_words_of_every_kind(kind: str, encoder: Encoder) -> None:
    usage = KINDS[kind](*USAGES[kind])  # type: ignore[arg-type]
    records = [RECORDS[kind](text) for text in (LONG, SHORT, LONG, SHORT)]
    tracemalloc.start()
    started = time.process_time()
    reading = usage.read(encoder, records)
    features = encoder.features(reading)
    assert time.process_time() - started < 20
    assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    tracemalloc.stop()
    assert cut_of(reading) == [True, False, True, False]
    assert reading.cut is not None
    assert (reading.cut.most, reading.cut.bound) == (32, "length")
    assert len(features) <= 4 * 32
    logits = np.zeros((len(features), usage.columns), np.float32)
    assert len(usage.predicted(logits, reading, records)) == 4


@pytest.mark.parametrize("kind", RECORDS)
def test_what_just_fits_is_not_cut(kind: str) -> None:
    special = {"text": 2, "tagging": 2}.get(kind, 3)
    beside = {"pair": 4, "number": 4, "choice": 4, "span": 3}.get(kind, 0)
    room = 32 - special - beside
    records = [RECORDS[kind]("film " * count) for count in (room, room + 1)]
    usage = KINDS[kind](*USAGES[kind])  # type: ignore[arg-type]
    reading = usage.read(ENCODERS["bert"], records)
    assert cut_of(reading) == [False, True]
    fits = {"span": 32, "tagging": 32}.get(kind, 32)
    words = [RECORDS[kind]("film " * count) for count in (fits, fits + 1)]
    assert cut_of(usage.read(ENCODERS["static"], words)) == [False, True]


def test_the_model_itself_may_be_what_bounds() -> None:
    reading = ENCODERS["bert"].texts([LONG, SHORT], 512)
    assert reading.cut is not None
    assert (reading.cut.most, reading.cut.bound) == (64, "positions")
    assert cut_of(ENCODERS["static"].texts(["film " * 100], 512)) == [False]


def test_in_windows_only_a_question_is_cut() -> None:
    usage = Span(64, 16, 12)
    records = [{"context": LONG, "question": SHORT}, {"context": SHORT, "question": "film " * 13}]
    reading = usage.read(ENCODERS["bert"], records)
    assert cut_of(reading) == [False, True]
    assert reading.cut is not None
    assert (reading.cut.most, reading.cut.bound) == (12, "query_length")
    assert int(reading.counts.sum()) >= 10_000
    assert cut_of(usage.read(ENCODERS["static"], records)) == [False, False]


@pytest.mark.parametrize("kind", ["pair", "choice", "span"])
def test_a_model_with_one_type_of_segments_reads_two_texts(kind: str) -> None:
    """RoBERTa's way: its tokenizer marks no second text."""
    known = bert()
    model = Pretraining(dataclasses.replace(known.model.architecture, segments=1))
    initialise(model, 1)
    encoder = BertEncoder(Bert(model.eval(), known.tokenizer, known.heads))
    usage = KINDS[kind](*USAGES[kind])  # type: ignore[arg-type]
    reading = usage.read(encoder, [RECORDS[kind](SHORT)])
    assert np.isfinite(encoder.features(reading)).all()
    other = usage.read(ENCODERS["bert"], [RECORDS[kind](SHORT)])
    assert np.array_equal(reading.counts, other.counts)
