import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from damage import flip, tear
from hypothesis import given
from hypothesis import strategies as st

from firth.config.text import Words
from firth.errors import DataError, FirthError, IntegrityError
from firth.tokens import encode, streams
from firth.tokens.encode import build_store
from firth.tokens.store import WordStore
from firth.tokens.vocabulary import Vocabulary

TRAIN = [["The cat sat.", "The dog sat, too."], ["A cat, a dog and the bird!", "Hm."], []]
HELDOUT = [["The cat and the fish."]]


def store_of(folder, train=TRAIN, heldout=HELDOUT, **settings):
    build_store(train, heldout, Words(**{"min_count": 2, "shuffle": False, **settings}), folder)
    return WordStore.open(folder)


def text(store, ids):
    return " ".join("." if i < 0 else store.vocabulary.words[i] for i in ids)


def test_streams_are_the_text_without_rare_words(tmp_path):
    store = store_of(tmp_path / "words")
    assert (tmp_path / "words" / "vocabulary.tsv").read_text() == "the\t3\na\t2\ncat\t2\ndog\t2\nsat\t2\n"
    assert text(store, store.train) == "the cat sat . the dog sat . a cat a dog the ."
    assert text(store, store.heldout) == "the cat the ."
    train, heldout = store.manifest["splits"]["train"], store.manifest["splits"]["heldout"]
    assert (train["words"], train["sentences"], train["out_of_vocabulary_words"]) == (11, 3, 4)
    assert heldout["out_of_vocabulary_share"] == 0.4
    assert (tmp_path / "words" / "train.i32").read_bytes() == store.train.astype("<i4").tobytes()
    assert not store.train.flags.writeable


def test_same_text_gives_the_same_bytes(tmp_path):
    first, second = store_of(tmp_path / "a"), store_of(tmp_path / "b")
    assert first.digest == second.digest
    assert sorted(path.name for path in first.folder.iterdir()) == [
        "heldout.i32", "manifest.json", "train.i32", "vocabulary.tsv",
    ]  # fmt: skip


def documents_of(ids):
    """Sentences of the stream, as a multiset; each document here is one sentence."""
    return Counter(" ".join(map(str, part)) for part in np.split(ids, np.flatnonzero(ids == -1) + 1))


def test_shuffling_moves_whole_documents_and_keeps_all_of_them(tmp_path, monkeypatch):
    train = [[f"word{n} word{n} and word{n + 1}"] for n in range(200)]
    plain = store_of(tmp_path / "plain", train, [], min_count=1)
    for name, piece in (("shuffled", streams.PIECE), ("in small pieces", 7)):
        monkeypatch.setattr(streams, "PIECE", piece)
        monkeypatch.setattr(encode, "BATCH_CHARACTERS", 300)
        shuffled = store_of(tmp_path / name, train, [], min_count=1, shuffle=True)
        assert not np.array_equal(shuffled.train, plain.train)
        assert documents_of(shuffled.train) == documents_of(plain.train)
        assert shuffled.vocabulary.words == plain.vocabulary.words
    again = store_of(tmp_path / "again", train, [], min_count=1, shuffle=True)
    other = store_of(tmp_path / "other", train, [], min_count=1, shuffle=True, seed=2)
    assert np.array_equal(again.train, shuffled.train)
    assert not np.array_equal(other.train, shuffled.train)


def test_largest_vocabulary_keeps_the_most_frequent(tmp_path):
    store = store_of(tmp_path, max_vocabulary=2)
    assert store.vocabulary.words == ("the", "a")


@given(st.lists(st.lists(st.text(alphabet="ab ", max_size=12), max_size=4), max_size=6), st.integers(1, 3))
def test_counts_are_what_a_counter_says(tmp_path_factory, documents, min_count):
    expected = Counter(word for sentences in documents for s in sentences for word in s.split())
    kept = sorted(((w, c) for w, c in expected.items() if c >= min_count), key=lambda p: (-p[1], p[0]))
    folder = tmp_path_factory.mktemp("store")
    if len(kept) < 2:
        with pytest.raises(DataError):
            build_store(documents, [], Words(min_count=min_count), folder)
        return
    store = store_of(folder, documents, [], min_count=min_count)
    assert list(zip(store.vocabulary.words, store.vocabulary.counts.tolist(), strict=True)) == kept
    ids = store.train[store.train >= 0]
    assert np.bincount(ids).tolist() == [count for _, count in kept]
    ends = np.flatnonzero(store.train < 0)
    assert ends[-1] == len(store.train) - 1
    assert (np.diff(ends, prepend=-1) > 1).all()  # no empty sentence


def test_batches_do_not_show(tmp_path, monkeypatch):
    whole = store_of(tmp_path / "whole").digest
    monkeypatch.setattr(encode, "BATCH_CHARACTERS", 1)
    monkeypatch.setattr(streams, "PIECE", 1)
    assert store_of(tmp_path / "pieces").digest == whole


@pytest.mark.parametrize("train", [[], [[]], [["", "..."]]])
def test_a_corpus_without_words_is_refused(tmp_path, train):
    with pytest.raises(DataError, match="holds no words"):
        store_of(tmp_path, train)


def test_words_all_below_the_minimum_count_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"occurs 50 times or more \(the most frequent 3 times\)"):
        store_of(tmp_path, min_count=50)
    assert not list(tmp_path.glob(".*"))


def test_a_vocabulary_of_one_word_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"only one word, 'la', .*words\.min_count"):
        store_of(tmp_path, [["La la land, la la."]])
    assert not list(tmp_path.iterdir())


def test_the_number_of_threads_does_not_show(tmp_path, monkeypatch):
    monkeypatch.setattr(encode, "BATCH_CHARACTERS", 60)
    train = [[f"word{n} Word{n % 7} and word{n % 13}’s"] for n in range(200)]
    one = build_store(train, HELDOUT, Words(min_count=1), tmp_path / "one", threads=1)
    assert build_store(train, HELDOUT, Words(min_count=1), tmp_path / "three", threads=3) == one


@pytest.mark.parametrize("name", ["train.i32", "heldout.i32", "vocabulary.tsv"])
@pytest.mark.parametrize(
    ("harm", "says"),
    [(Path.unlink, "missing"), (tear, "torn"), (flip, "altered")],
)
def test_a_harmed_file_is_refused_by_name(tmp_path, name, harm, says):
    store_of(tmp_path)
    harm(tmp_path / name)
    with pytest.raises(IntegrityError, match=says) as refused:
        WordStore.open(tmp_path)
    assert str(tmp_path / name) in str(refused.value)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"files": {}}', '{"files": null}'])
def test_a_harmed_manifest_is_refused(tmp_path, content):
    store_of(tmp_path)
    path = tmp_path / "manifest.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(IntegrityError, match="manifest"):
        WordStore.open(tmp_path)


def test_a_manifest_with_another_vocabulary_size_is_refused(tmp_path):
    store_of(tmp_path)
    path = tmp_path / "manifest.json"
    tree = json.loads(path.read_text())
    tree["vocabulary"]["words"] += 1
    path.write_text(json.dumps(tree))
    with pytest.raises(IntegrityError, match="the manifest says 6"):
        WordStore.open(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"the\t3\ncat", "torn"),
        (b"the\t3\ncat\n", "line 2"),
        (b"the\t3\ncat\t-1\n", "line 2"),
        (b"the\t3\ncat\t2\nthe\t1\n", "line 3: the word 'the' occurs a second time"),
        (b"\xff\t3\n", "UTF-8"),
    ],
)
def test_a_harmed_vocabulary_is_refused(tmp_path, content, says):
    path = tmp_path / "vocabulary.tsv"
    path.write_bytes(content)
    with pytest.raises(FirthError, match=says):
        Vocabulary.load(path)


def test_vocabulary_round_trip(tmp_path):
    vocabulary = Vocabulary.of([("b", 2), ("a", 2), ("z", 9), ("é", 2), ("rare", 1)], 2, 10)
    assert vocabulary.words == ("z", "a", "b", "é")
    vocabulary.save(tmp_path / "v.tsv")
    again = Vocabulary.load(tmp_path / "v.tsv")
    assert again.words == vocabulary.words
    assert again.sha256 == vocabulary.sha256
    assert again.ids["é"] == 3
