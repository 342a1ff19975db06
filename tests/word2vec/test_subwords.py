import numpy as np
import pytest
from gensim.models.fasttext_inner import compute_ngrams_bytes, ft_hash_bytes
from hypothesis import given
from hypothesis import strategies as st

from firth.config.word2vec import Subwords
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.unknown import UnknownWordError, out_of_vocabulary
from firth.word2vec.subwords import SubwordRows, bucket_of, composed, ngrams_of

STRANGE = [
    "where", "a", "été", "e\u0301te\u0301", "ångström", "日本語", "👩‍👩‍👧", "👍🏽", "नमस्ते", "banana", "aaaaaaaa", "<x>",
    "ß", "don't", "x" * 300, "\u0301", "𝔘𝔫𝔦", "",
]  # fmt: skip
RANGES = [(3, 6), (1, 4), (1, 1), (2, 10), (5, 5), (10, 10)]


def named(words):
    return Vocabulary(tuple(words), np.ones(len(words), dtype=np.int64))


def test_ngrams_of_the_papers_example():
    assert ngrams_of("where", Subwords(shortest=3, longest=3)) == ["<wh", "whe", "her", "ere", "re>"]


def test_the_whole_word_and_its_bounds_alone_are_left_out():
    assert ngrams_of("cat", Subwords(shortest=1, longest=6)) == [
        "<c", "<ca", "<cat", "c", "ca", "cat", "cat>", "a", "at", "at>", "t", "t>",
    ]  # fmt: skip
    assert ngrams_of("a", Subwords(shortest=3, longest=6)) == []
    assert ngrams_of("", Subwords(shortest=1, longest=6)) == []


def test_characters_are_code_points_and_repeated_ngrams_stay():
    trigrams = Subwords(shortest=3, longest=3)
    assert ngrams_of("e\u0301a", trigrams) == ["<e\u0301", "e\u0301a", "\u0301a>"]
    assert ngrams_of("👍🏽", trigrams) == ["<👍🏽", "👍🏽>"]
    assert ngrams_of("banana", trigrams).count("ana") == 2


@pytest.mark.parametrize(("shortest", "longest"), RANGES)
@pytest.mark.parametrize("word", STRANGE)
def test_ngrams_and_buckets_are_those_of_fasttext_in_gensim(word, shortest, longest):
    theirs = [ngram for ngram in compute_ngrams_bytes(word, shortest, longest) if ngram != f"<{word}>".encode()]
    ours = ngrams_of(word, Subwords(shortest=shortest, longest=longest))
    assert [ngram.encode() for ngram in ours] == theirs
    assert [bucket_of(ngram, 1 << 32) for ngram in ours] == [ft_hash_bytes(ngram) for ngram in theirs]


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=1, max_size=12),
    st.integers(1, 10),
    st.integers(1, 10),
    st.integers(1, 20_000_000),
)
def test_rows_of_a_vocabulary_are_those_of_its_words_one_by_one(words, one, other, buckets):
    settings = Subwords(buckets=buckets, shortest=min(one, other), longest=max(one, other))
    rows = SubwordRows.of(named(words), settings)
    expected = [[bucket_of(ngram, buckets) for ngram in ngrams_of(word, settings)] for word in words]
    assert len(rows) == len(words)
    assert [rows.of_word(i).tolist() for i in range(len(words))] == expected
    assert rows.most == max(map(len, expected))
    assert rows.rows.dtype == np.int32
    assert rows.offsets.dtype == np.int64


@pytest.mark.parametrize(("shortest", "longest"), RANGES)
def test_rows_of_strange_words(shortest, longest):
    settings = Subwords(buckets=1000, shortest=shortest, longest=longest)
    words = [*STRANGE, "\udc80 a lone surrogate"]
    rows = SubwordRows.of(named(words), settings)
    for i, word in enumerate(words):
        assert rows.of_word(i).tolist() == [bucket_of(ngram, 1000) for ngram in ngrams_of(word, settings)]


def test_rows_of_many_words_come_in_blocks_that_do_not_show():
    words = [f"word{i:x}" for i in range(40_000)]
    settings = Subwords(buckets=2_000_000)
    rows = SubwordRows.of(named(words), settings)
    for i in (0, 16_383, 16_384, 39_999):
        assert rows.of_word(i).tolist() == [bucket_of(ngram, 2_000_000) for ngram in ngrams_of(words[i], settings)]
    assert not rows.rows.flags.writeable
    assert len(SubwordRows.of(named([]), settings)) == 0


def test_composed_vectors_are_means_of_all_rows():
    rng = np.random.default_rng(0)
    settings = Subwords(buckets=7)
    words = ["a", "banana", "b", "c", "the", *(f"w{i}" for i in range(17_000)), "d" * 60]  # some have no n-grams
    rows = SubwordRows.of(named(words), settings)
    own, ngrams = (rng.normal(size=(size, 5)).astype(np.float32) for size in (len(words), 7))
    assert len(words) * 5 * rows.most > 1 << 22  # more than is gathered at a time
    kept = own.copy()
    result = composed(own, ngrams, rows)
    for i in [*range(7), *range(3500, 3600), 17_004, 17_005]:
        expected = np.concatenate([own[i : i + 1], ngrams[rows.of_word(i)]]).mean(axis=0)
        np.testing.assert_allclose(result[i], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(own, kept)


def test_an_unseen_word_is_the_mean_of_its_ngrams():
    settings = Subwords(buckets=50, shortest=3, longest=4)
    ngrams = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    expected = np.mean([ngrams[bucket_of(ngram, 50)] for ngram in ngrams_of("banana", settings)], axis=0)
    vector = out_of_vocabulary("banana", ngrams, settings)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, expected, rtol=1e-5)
    assert np.isfinite(out_of_vocabulary("ab\udc80", ngrams, settings)).all()


@pytest.mark.parametrize("word", ["", "a"])
def test_a_word_without_ngrams_is_unknown(word):
    with pytest.raises(UnknownWordError, match="no n-grams of 3 to 6 characters"):
        out_of_vocabulary(word, np.zeros((50, 6), np.float32), Subwords(buckets=50))


def test_a_matrix_of_other_settings_is_refused():
    with pytest.raises(ValueError, match=r"50 n-gram rows for subwords\.buckets = 60"):
        out_of_vocabulary("word", np.zeros((50, 6), np.float32), Subwords(buckets=60))
