"""Filling, encoding, attention: against the model itself, and whatever else is in the batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from one_thread import one_thread  # noqa: F401
from toy_bert import SENTENCES, toy_bert

from firth.encode.use import attention, encode, encode_parts, fill, is_cut, width, word_vector
from firth.errors import DataError, FirthError

BERT = toy_bert()
CLOSE = {"atol": 2e-5, "rtol": 0}


def layers_of(text, second=None):
    """(layers + 1, L, H), of the text by itself."""
    one = BERT.tokenizer.encode(text, second, 48)
    with torch.no_grad():
        found = BERT.model.encoder.layers_of(torch.tensor([one.ids]), torch.tensor([one.segments]))
    return torch.cat(found).numpy()


class TestEncode:
    def test_cls_and_mean(self):
        cls, mean = encode(BERT, SENTENCES, "cls"), encode(BERT, SENTENCES, "mean")
        assert cls.shape == mean.shape == (len(SENTENCES), 32)
        assert cls.dtype == mean.dtype == np.float32
        for row, text in enumerate(SENTENCES):
            alone = layers_of(text)[-1]
            np.testing.assert_allclose(cls[row], alone[0], **CLOSE)
            np.testing.assert_allclose(mean[row], alone.mean(axis=0), **CLOSE)

    def test_layers(self):
        last, added, beside = (encode(BERT, SENTENCES, "cls", layers) for layers in ("last", "sum4", "concat4"))
        assert beside.shape == (len(SENTENCES), 128)
        for row, text in enumerate(SENTENCES):
            alone = layers_of(text)[1:, 0]
            np.testing.assert_allclose(added[row], alone.sum(axis=0), **CLOSE)
            np.testing.assert_allclose(beside[row], alone.reshape(-1), **CLOSE)
        np.testing.assert_array_equal(beside[:, -32:], last)

    def test_tokens(self):
        for text, part in zip(SENTENCES, encode_parts(BERT, SENTENCES, "tokens", "sum4"), strict=True):
            assert part.names == [BERT.tokenizer.vocabulary[i] for i in BERT.tokenizer.encode(text, length=48).ids]
            np.testing.assert_allclose(part.vectors, layers_of(text)[1:].sum(axis=0), **CLOSE)

    def test_words_are_the_means_of_their_pieces(self):
        text = "Mäuse didn't like the muddy bank-day"
        (part,) = encode_parts(BERT, [text], "words")
        assert part.names == ["Mäuse", "didn", "'", "t", "like", "the", "muddy", "bank", "-", "day"]
        pieces = BERT.tokenizer.ids([text])[0]
        starts = [n for n, piece in enumerate(pieces) if not BERT.tokenizer.continues[piece]]
        assert len(starts) == 10 < len(pieces)
        alone = layers_of(text)[-1][1:-1]
        means = [alone[a:b].mean(axis=0) for a, b in zip(starts, [*starts[1:], len(pieces)], strict=True)]
        np.testing.assert_allclose(part.vectors, means, **CLOSE)

    def test_arrays_without_names(self):
        for pooling in ("tokens", "words"):
            parts = encode_parts(BERT, SENTENCES, pooling)
            for array, part in zip(encode(BERT, SENTENCES, pooling), parts, strict=True):
                np.testing.assert_array_equal(array, part.vectors)
        assert encode(BERT, [""], "words")[0].shape == (0, 32)

    def test_pairs(self):
        firsts, seconds = SENTENCES[:3], SENTENCES[3:]
        found = encode(BERT, firsts, "cls", seconds=seconds)
        for row, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
            np.testing.assert_allclose(found[row], layers_of(first, second)[-1][0], **CLOSE)
        (part,) = encode_parts(BERT, ["The cat"], "words", seconds=["not that!"])
        assert part.names == ["The", "cat", "not", "that", "!"]
        with pytest.raises(ValueError, match="3 texts but 2 seconds"):
            encode(BERT, firsts, seconds=seconds[:2])

    @settings(max_examples=15)
    @given(
        st.lists(st.sampled_from([*SENTENCES, "bank", "bank " * 40]), min_size=1, max_size=12),
        st.integers(1, 5),
        st.sampled_from(["cls", "mean", "tokens", "words"]),
    )
    def test_a_texts_vectors_do_not_depend_on_its_company(self, texts, batch, pooling):
        together = encode(BERT, texts, pooling, batch=batch)
        for text, found in zip(texts, together, strict=True):
            np.testing.assert_allclose(found, encode(BERT, [text], pooling)[0], **CLOSE)

    def test_length_cuts_and_never_exceeds_the_positions(self):
        (short,) = encode(BERT, ["the cat sat on the mat"], "tokens", length=4)
        assert short.shape == (4, 32)
        (whole,) = encode(BERT, ["bank " * 100], "tokens", length=128)
        assert whole.shape == (48, 32)
        assert is_cut(BERT, "bank " * 100, 48)
        assert not is_cut(BERT, "bank " * 46, 48)
        assert is_cut(BERT, "bank " * 47, 48)

    def test_no_texts(self):
        assert encode(BERT, []).shape == (0, 32)
        assert encode(BERT, [], "tokens") == []

    @pytest.mark.parametrize("layers", ["sum4", "concat4"])
    def test_too_few_layers_are_said(self, layers):
        small = toy_bert(layers=3)
        for ask in (
            lambda: encode(small, ["the cat"], "cls", layers),
            lambda: encode(small, [], "words", layers),
            lambda: word_vector(small, "the cat", "cat", layers),
        ):
            with pytest.raises(FirthError, match=f"{layers}.* last 4 layers, and this model has 3: use 'last'"):
                ask()
        assert width(small, "last") == 32

    def test_a_model_in_training_stays_in_training(self):
        bert = toy_bert()
        bert.model.train()
        found = encode(bert, SENTENCES)
        np.testing.assert_allclose(found, encode(BERT, SENTENCES), **CLOSE)
        assert bert.model.training
        assert bert.model.encoder.layers[0].training
        assert torch.is_grad_enabled()

    def test_a_mask_in_a_text_is_text(self):
        (part,) = encode_parts(BERT, ["[MASK]"], "words")
        assert part.names == ["[", "MASK", "]"]


class TestFill:
    def test_the_answers_are_the_heads(self):
        texts = ["The [MASK] sat on the [MASK].", "[MASK]", "A bank of the river and the [MASK] day"]
        answers = fill(BERT, texts, top=3)
        assert [len(masks) for masks in answers] == [2, 1, 1]
        for text, masks in zip(texts, answers, strict=True):
            ids = torch.tensor([BERT.tokenizer.encode(text, mask_token=True).ids])
            places = (ids[0] == BERT.tokenizer.mask).nonzero()[:, 0]
            with torch.no_grad():
                shares = BERT.model(ids, None, None, places).mlm.softmax(-1)
            for found, expected in zip(masks, shares, strict=True):
                best = expected.sort(descending=True)
                assert [piece for piece, _ in found] == [BERT.tokenizer.vocabulary[i] for i in best.indices[:3]]
                np.testing.assert_allclose([share for _, share in found], best.values[:3], atol=1e-5)

    def test_more_answers_than_pieces(self):
        ((found,),) = fill(BERT, ["[MASK]"], top=10_000)
        assert len(found) == len(BERT.tokenizer)
        assert sum(share for _, share in found) == pytest.approx(1, abs=1e-4)

    def test_nothing_to_fill(self):
        with pytest.raises(DataError, match=r"no \[MASK\] in the text 'The cat sat"):
            fill(BERT, ["[MASK]", "The cat sat on the mat."])
        with pytest.raises(DataError, match=r"each \[MASK\] lies behind token 48"):
            fill(BERT, ["bank " * 60 + "[MASK]"])

    def test_a_new_head_refuses(self):
        with pytest.raises(FirthError, match="head is new and its answers would be random"):
            fill(toy_bert(untrained=("mlm",)), ["[MASK]"])


class TestAttention:
    def test_rows_sum_to_one(self):
        pieces, weights = attention(BERT, SENTENCES[0])
        assert pieces == ["[CLS]", "the", "cat", *pieces[3:-2], ".", "[SEP]"]
        assert weights.shape == (4, 4, len(pieces), len(pieces))
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)

    def test_long_texts_are_cut(self):
        assert attention(BERT, "bank " * 100)[1].shape == (4, 4, 48, 48)


class TestWordVector:
    @pytest.mark.parametrize(
        ("text", "word", "pieces"),
        [
            ("a bank and the bank", "bank", slice(2, 3)),
            ("The embankment, a riverbank, the BANK", "bank", slice(-2, -1)),
            ("bank muddy", "muddy", slice(2, 6)),
            ("They didn't like that", "didn't", slice(3, 7)),
            ("the river bank", "river bank", slice(2, 4)),
        ],
    )
    def test_the_first_whole_word(self, text, word, pieces):
        alone = layers_of(text)[1:].sum(axis=0)
        np.testing.assert_allclose(word_vector(BERT, text, word), alone[pieces].mean(axis=0), **CLOSE)

    def test_layers(self):
        vector = word_vector(BERT, "the bank", "bank", "concat4")
        np.testing.assert_allclose(vector, layers_of("the bank")[1:, 2].reshape(-1), **CLOSE)

    @pytest.mark.parametrize("word", ["ban", "tree", ""])
    def test_a_word_that_is_not_there(self, word):
        with pytest.raises(DataError, match="does not stand in 'the bank'"):
            word_vector(BERT, "the bank", word)

    def test_a_word_behind_the_end(self):
        with pytest.raises(DataError, match="lies behind token 48"):
            word_vector(BERT, "bank " * 60 + "river", "river")


def test_same_word_other_context_other_vector():
    one, other = (word_vector(BERT, text, "bank") for text in ("the bank of the river", "a bank lends money"))
    assert np.abs(one - other).max() > 0.1
