"""What the encoders read of texts, words and contexts, and that rows stand for the right characters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from usage_examples import bert, draw, vectors

from firth.encode.use import encode
from firth.errors import FirthError
from firth.tasks.encoders import contextual
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.sources import untrained
from firth.tasks.encoders.static import StaticEncoder
from firth.tokens.vocabulary import Vocabulary
from firth.tokens.words import split
from firth.vectors.vectors import Vectors

STATIC = StaticEncoder(vectors())
BERT = bert()
TEXTS = ["The camera is dull.", "", "A truly warm and funny film", "The script — naïve, and awful…", "the " * 90]


@given(st.text(max_size=60))
def test_words_are_cut_as_for_training(text) -> None:
    found = [STATIC._form(text.replace("_", " ").replace("’", "'")[a:b]) for _, a, b in STATIC._words(text)]
    expected = [word for word in split([text], lowercase=True, numbers="keep") if word != "\n"]
    if text.lower() == "".join(c.lower() for c in text) and len(text.splitlines()) <= 1:
        assert found == expected


def test_case_and_digits_are_as_the_vocabulary_has_them() -> None:
    def known(words: list[str], text: str) -> list[bool]:
        read = StaticEncoder(Vectors(Vocabulary(tuple(words), np.ones(len(words), np.int64)), np.eye(len(words))))
        return [number < len(words) for number, _, _ in read._words(text)]

    assert known(["Leeds", "the"], "the Leeds leeds THE") == [True, True, False, False]
    assert known(["leeds", "the"], "the Leeds leeds THE") == [True] * 4
    assert known(["0000", "in"], "In 1957 in 957") == [True, True, True, False]
    assert known(["1950", "in"], "In 1957 in 1950") == [True, False, True, True]


def test_unknown_words_are_skipped_and_nothing_known_is_zero() -> None:
    known = STATIC.features(STATIC.texts(["warm film"], 32))
    np.testing.assert_array_equal(STATIC.features(STATIC.texts(["warm qwertz film"], 32)), known)
    assert not STATIC.features(STATIC.texts(["", "qwertz"], 32)).any()
    np.testing.assert_array_equal(STATIC.features(STATIC.texts(["warm film dull"], 2)), known)


def test_a_pair_of_static_texts() -> None:
    u, v = STATIC.features(STATIC.texts(["warm film", "dull"], 32))
    (row,) = STATIC.features(STATIC.pairs(["warm film"], ["dull"], 32))
    np.testing.assert_array_equal(row, np.concatenate([u, v, np.abs(u - v), u * v]))


@pytest.mark.parametrize("encoder", [STATIC, BertEncoder(BERT)], ids=["static", "bert"])
def test_rows_of_a_context_stand_for_its_characters(encoder) -> None:
    questions, contexts = ["where did it go", "who"], ["Anna  VISITED\tLeeds, the camera…", "—"]
    reading = encoder.spans(questions, contexts, 32)
    pieces = [[context[a:b] for a, b in spans] for context, spans in zip(contexts, reading.spans, strict=True)]
    assert "".join(pieces[0]).replace(",", "").replace("…", "") == "AnnaVISITEDLeedsthecamera"
    assert encoder.features(reading).shape[0] == reading.counts.sum() == sum(map(len, pieces))


def test_only_the_context_is_cut_and_a_row_can_be_missing() -> None:
    encoder = BertEncoder(BERT)
    reading = encoder.spans(["where did it go"], ["Anna left Leeds , said the film ."], 10)
    assert reading.counts.tolist() == [10 - 3 - 4]
    assert encoder.spans(["where did it go"], ["Anna left Leeds"], 7).counts.tolist() == [0]


def test_a_word_is_labelled_at_its_first_piece() -> None:
    encoder = BertEncoder(BERT)
    sentence = ["The", "camera", "left", "Leeds", "\u200b"]
    (item,) = encoder.words([sentence], 32).inputs
    assert [BERT.tokenizer.vocabulary[number] for number in item.ids] == [
        "[CLS]", "the", "cam", "##era", "left", "leeds", "[UNK]", "[SEP]",
    ]  # fmt: skip
    assert item.rows == [1, 2, 4, 5, 6]
    cut = encoder.words([sentence], 5)
    assert cut.counts.tolist() == [2]
    assert len(cut.inputs[0].ids) == 5


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("layers", ["last", "sum4", "concat4"])
def test_text_vectors_are_those_of_firth_encode(pooling, layers) -> None:
    deep = bert(layers=4)
    encoder = BertEncoder(deep, pooling, layers)
    found = encoder.features(encoder.texts(TEXTS, 16))
    np.testing.assert_allclose(found, encode(deep, TEXTS, pooling, layers, length=16), atol=1e-5)
    pairs = encoder.features(encoder.pairs(TEXTS, TEXTS[::-1], 16))
    np.testing.assert_allclose(pairs, encode(deep, TEXTS, pooling, layers, 16, 2, TEXTS[::-1]), atol=1e-5)


def test_more_layers_than_there_are_is_said() -> None:
    with pytest.raises(FirthError, match="takes the last 4 layers, and this model has 2"):
        BertEncoder(BERT, "mean", "concat4")


def test_what_else_is_in_a_batch_changes_nothing(monkeypatch) -> None:
    encoder = BertEncoder(BERT)
    examples = [*draw("tagging", 20, 3), {"tokens": ["the"] * 200}]
    reading = encoder.words([one["tokens"] for one in examples], 500)
    assert reading.counts[-1] == 62, "the model's positions bound every length"
    together = encoder.features(reading)
    monkeypatch.setattr(contextual, "BATCH_TOKENS", 1)
    np.testing.assert_allclose(encoder.features(reading), together, atol=1e-5)


def test_the_number_of_workers_changes_no_bit_and_torch_keeps_its_threads() -> None:
    reading = BertEncoder(BERT).texts([one["text"] for one in draw("text", 600, 3)], 32)
    before = torch.get_num_threads()
    alone, together = (BertEncoder(BERT, workers=workers).features(reading) for workers in (1, 4))
    np.testing.assert_array_equal(alone, together)
    assert torch.get_num_threads() == before


def test_an_untrained_twin_is_the_same_every_time_and_not_the_model() -> None:
    trained = bert(seed=7)
    first, second = untrained(trained), untrained(trained)
    weights, again, own = (dict(one.model.named_parameters()) for one in (first, second, trained))
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    assert not torch.equal(weights["encoder.embeddings.tokens.weight"], own["encoder.embeddings.tokens.weight"])
    assert first.model.architecture == trained.model.architecture
    assert first.tokenizer is trained.tokenizer
