"""The vocabulary: merges as they are defined, Hugging Face's outcome on real text, the same bytes whatever happens."""

import bz2
import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import DataError
from firth.wordpiece.library import Names, Normalisation
from firth.wordpiece.merges import learn_merges
from firth.wordpiece.tokenizer import Tokenizer
from firth.wordpiece.trainer import extend_vocabulary, learn_vocabulary
from firth.wordpiece.words import count_words

SPECIAL = list(Names())
WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}


def naive_merges(words, counts, pieces, size, min_count):
    """The definition: count all pairs anew before each merge, take the most frequent, of equals the earlier pieces."""
    words, pieces = [list(word) for word in words], list(pieces)
    while len(pieces) < size:
        pairs = Counter()
        for word, count in zip(words, counts, strict=True):
            for pair in pairwise(word):
                pairs[pair] += count
        frequent = [(-count, pair) for pair, count in pairs.items() if count >= min_count]
        if not frequent:
            break
        _, (first, second) = min(frequent)
        name = pieces[first] + pieces[second].removeprefix("##")
        if name not in pieces:
            pieces.append(name)
        new = pieces.index(name)
        for word in words:
            at = 0
            while at < len(word) - 1:
                if (word[at], word[at + 1]) == (first, second):
                    word[at : at + 2] = [new]
                at += 1
    return words, pieces


@given(
    words=st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=9), st.integers(1, 9), max_size=12),
    size=st.integers(6, 40),
    min_count=st.integers(1, 4),
)
def test_merges_are_those_of_the_definition(words, size, min_count):
    pieces = ["a", "b", "c", "##a", "##b", "##c"]
    symbols = [[pieces.index(word[0]), *(pieces.index(f"##{letter}") for letter in word[1:])] for word in words]
    expected = naive_merges(symbols, list(words.values()), pieces, size, min_count)
    learn_merges(symbols, list(words.values()), pieces, size, min_count)
    assert (symbols, pieces) == expected


def test_a_vocabulary_worked_out_by_hand():
    learned = learn_vocabulary(WORDS, size=28, min_count=2, alphabet=100)
    plain, rest = list("deilnorstw"), ["##d", "##e", "##i", "##o", "##r", "##s", "##t", "##w"]
    # "es" occurs 9 times, before "st" by the age of its first piece; then "est", and "low" 7 times
    merges = ["##es", "##est", "lo", "low", "ne"]
    assert learned.pieces == (*SPECIAL, *plain, *rest, *merges)
    assert learned.left_out == 0


def test_the_alphabet_is_the_most_frequent_characters():
    learned = learn_vocabulary({"aab": 5, "ac": 3, "ad": 3, "e" * 101: 1}, size=100, min_count=4, alphabet=3)
    assert learned.pieces[5:] == ("a", "b", "e", "##a", "##b", "##e", "aa", "aab")
    assert learned.left_out == 3 + 3 + 1


def test_impossible_sizes_are_explained():
    with pytest.raises(DataError, match="23 together"):
        learn_vocabulary(WORDS, size=22, min_count=2, alphabet=100)
    with pytest.raises(DataError, match="no words"):
        learn_vocabulary({}, size=100, min_count=2, alphabet=100)


def test_fewer_pieces_where_no_pair_is_frequent_enough():
    pieces = learn_vocabulary(WORDS, size=10_000, min_count=7, alphabet=100).pieces
    assert pieces[-4:] == ("##es", "##est", "lo", "low")
    assert set(WORDS) <= set(learn_vocabulary(WORDS, size=10_000, min_count=2, alphabet=100).pieces)


def theirs(texts, size, alphabet):
    from tokenizers import Tokenizer as Library
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    library = Library(models.WordPiece(unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=2, limit_alphabet=alphabet, special_tokens=SPECIAL, show_progress=False
    )
    library.train_from_iterator(texts, trainer)
    ids = library.get_vocab()
    return sorted(ids, key=ids.__getitem__)


def tokens_per_word(pieces, counts):
    ids = Tokenizer(pieces).ids(list(counts))
    return sum(len(i) * count for i, count in zip(ids, counts.values(), strict=True)) / sum(counts.values())


def compared(texts, size, alphabet):
    counts = count_words([texts], Normalisation()).counts
    own = learn_vocabulary(counts, size, 2, alphabet).pieces
    other = theirs(texts, size, alphabet)
    assert len(own) == len(other) == size
    assert tokens_per_word(own, counts) == pytest.approx(tokens_per_word(other, counts), rel=0.005)
    return len(set(own) & set(other)) / size


@pytest.mark.parametrize("size", [600, 3000])
def test_the_outcome_is_hugging_faces(paragraphs, size):
    assert compared(paragraphs, size, 500) > 0.97


@pytest.mark.slow
@pytest.mark.skipif("FIRTH_DATA" not in os.environ, reason="FIRTH_DATA is not set: no larger wiki files")
def test_the_outcome_is_hugging_faces_on_a_million_words():
    texts, words = [], 0
    with bz2.open(Path(os.environ["FIRTH_DATA"]) / "wiki" / "wiki-en-00.jsonl.bz2", "rt", encoding="utf-8") as stream:
        while words < 1_000_000:
            article = json.loads(next(stream))
            words += article["words"]
            texts += article["text"].split("\n\n")
    assert compared(texts, 8000, 500) > 0.97


def test_the_order_of_documents_does_not_matter(paragraphs):
    shuffled = list(paragraphs)
    random.Random(3).shuffle(shuffled)
    first, second = (count_words([texts], Normalisation()).counts for texts in (paragraphs, shuffled))
    assert learn_vocabulary(first, 2000, 2, 300) == learn_vocabulary(second, 2000, 2, 300)


def test_the_hash_seed_does_not_matter(paragraphs):
    code = (
        "import pydoc_data.topics as t, hashlib; from firth.wordpiece.library import Normalisation\n"
        "from firth.wordpiece.trainer import learn_vocabulary; from firth.wordpiece.words import count_words\n"
        "texts = [part for name in sorted(t.topics) for part in t.topics[name].split('\\n\\n')]\n"
        "pieces = learn_vocabulary(count_words([texts], Normalisation()).counts, 1500, 2, 40).pieces\n"
        "print(hashlib.sha256('\\n'.join(pieces).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("0", "4711")
    }
    own = learn_vocabulary(count_words([paragraphs], Normalisation()).counts, 1500, 2, 40).pieces
    assert found == {hashlib.sha256("\n".join(own).encode()).hexdigest()}


def test_a_vocabulary_is_extended_behind_its_end(paragraphs):
    base = Tokenizer(learn_vocabulary(count_words([paragraphs], Normalisation()).counts, 800, 2, 100).pieces)
    counts = {"cardiomyopathy": 40, "myopathy": 30, "the": 1000, "кот": 50, "cardiology": 9}
    learned = extend_vocabulary(base, counts, further=40, min_count=9)
    assert learned.pieces[:800] == base.vocabulary
    assert {"cardiomyopathy", "myopathy", "cardiology"} <= set(learned.pieces[800:])
    assert learned.left_out == 50  # no piece of the base spells it
    extended = Tokenizer(learned.pieces)
    assert [len(ids) for ids in extended.ids(["cardiomyopathy", "myopathy", "the"])] == [1, 1, 1]
    assert len(learned.pieces) <= 840
    assert extend_vocabulary(base, {"the": 1000}, further=40, min_count=2).pieces == base.vocabulary
