"""Counting is exact: the words of BERT, whatever the order, and also where not all of them are held in memory."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from firth.wordpiece import words
from firth.wordpiece.library import Normalisation
from firth.wordpiece.words import count_words

TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]), st.sampled_from("aB \u0301\u00a0\n\t\r\x1c\x85\u2028.'中\x00\u3000")
    ),
    max_size=30,
)


def plainly(documents, normalisation):
    """Each sentence through the library's normaliser and word cutter."""
    normalise, cut = normalisation.build().normalize_str, pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    return Counter(word for document in documents for sentence in document for word, _ in cut(normalise(sentence)))


@given(st.lists(st.lists(TEXT, max_size=4), max_size=4), st.booleans(), st.booleans(), st.booleans())
def test_words_are_those_of_bert(documents, lowercase, strip_accents, chinese):
    normalisation = Normalisation(lowercase, strip_accents, chinese)
    expected = plainly(documents, normalisation)
    found = count_words(documents, normalisation)
    assert found.counts == expected
    assert list(found.counts) == sorted(expected)
    assert (found.distinct, found.total) == (len(expected), expected.total())


def test_lone_surrogates_are_left_out():
    assert count_words([["a\ud800b \udfff"]], Normalisation()).counts == {"ab": 1}


def test_words_that_do_not_fit_into_memory_wait_in_files(paragraphs, monkeypatch):
    whole = count_words([[text] for text in paragraphs], Normalisation())
    monkeypatch.setattr(words, "CHUNKS", 500)
    monkeypatch.setattr(words, "HELD_WORDS", 800)
    assert count_words([[text] for text in paragraphs], Normalisation()) == whole


def test_of_too_many_words_the_most_frequent_are_kept(paragraphs, monkeypatch):
    documents = [[text] for text in paragraphs]
    whole = count_words(documents, Normalisation())
    by_count = sorted(whole.counts.items(), key=lambda item: (-item[1], item[0]))
    held = count_words(documents, Normalisation(), most=1000)
    monkeypatch.setattr(words, "CHUNKS", 300)
    monkeypatch.setattr(words, "HELD_WORDS", 400)
    waited = count_words(reversed(documents), Normalisation(), most=1000)
    assert held == waited
    assert (held.distinct, held.total) == (whole.distinct, whole.total)
    assert held.counts == dict(by_count[:1000])
