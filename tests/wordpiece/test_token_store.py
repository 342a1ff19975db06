"""What goes into a token store comes out, in shards, shuffled, checked; damage is named."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from damage import flip, tear
from hypothesis import given
from hypothesis import strategies as st

from firth.config.bert import Tokenize
from firth.errors import DataError, IntegrityError
from firth.wordpiece import writing
from firth.wordpiece.library import Names
from firth.wordpiece.store import TokenStore, build_store
from firth.wordpiece.tokenizer import Tokenizer

PIECES = (*Names(), "a", "b", "##b", "c", ".")
TRAIN = [["a b.", "", "\x00", "abb c"], [], ["\u200b"], ["x", "c"]]
HELDOUT = [["c."]]


def store_of(folder, train=TRAIN, heldout=HELDOUT, tokenizer=None, **settings):
    build_store(train, heldout, tokenizer or Tokenizer(PIECES), Tokenize(**{"shuffle": False, **settings}), folder)
    return TokenStore.open(folder)


def documents(split):
    """The ids of each sentence of each document, out of all shards."""
    found = []
    for shard in split.shards:
        for first, last in pairwise(shard.documents):
            bounds = shard.sentences[first : last + 1]
            found.append([shard.ids[a:b].tolist() for a, b in pairwise(bounds)])
    return found


def expected(texts, tokenizer):
    cut = ([ids for ids in tokenizer.ids(document) if ids] for document in texts)
    return [document for document in cut if document]


def test_the_store_holds_the_text_without_what_is_empty(tmp_path):
    store = store_of(tmp_path / "pieces")
    assert documents(store.train) == [[[5, 6, 9], [5, 7, 7, 8]], [[1], [8]]]
    assert documents(store.heldout) == [[[8, 9]]]
    assert (store.train.documents, store.train.sentences, store.train.tokens) == (2, 4, 9)
    assert store.unigrams.tolist() == [0, 1, 0, 0, 0, 2, 1, 2, 2, 1]
    assert store.manifest["splits"]["train"]["unknown_share"] == pytest.approx(1 / 9, abs=1e-6)
    assert store.tokenizer.sha256 == Tokenizer(PIECES).sha256
    shard = store.train.shards[0]
    assert (shard.ids.dtype, shard.sentences.dtype, shard.documents.dtype) == ("<u2", "<u4", "<u4")
    assert not shard.ids.flags.writeable
    assert shard.ids.nbytes == 2 * store.train.tokens
    assert sorted(path.relative_to(tmp_path / "pieces").as_posix() for path in tmp_path.rglob("*.*")) == [
        "heldout/shard-00000.documents", "heldout/shard-00000.ids", "heldout/shard-00000.sentences", "manifest.json",
        "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "tokenizer/vocab.txt",
        "train/shard-00000.documents", "train/shard-00000.ids", "train/shard-00000.sentences", "unigrams.i64",
    ]  # fmt: skip


TEXTS = st.lists(st.lists(st.text(alphabet="abx .\u200b", max_size=12), max_size=5), max_size=8)


@given(TEXTS, TEXTS, st.booleans(), st.integers(1, 30), st.integers(1, 40))
def test_what_goes_in_comes_out(tmp_path_factory, train, heldout, shuffle, shard_bytes, batch):
    folder, tokenizer = tmp_path_factory.mktemp("store"), Tokenizer(PIECES)
    train = [*train, ["a"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "BATCH_CHARACTERS", batch)
        patch.setattr(writing, "BATCH_DOCUMENTS", 3)
        patch.setattr(writing, "BATCH_IDS", 7)
        patch.setattr(writing, "MEGABYTE", shard_bytes)
        store = store_of(folder, train, heldout, tokenizer, shuffle=shuffle, shard_megabytes=1)
    found = documents(store.train)
    assert (sorted(found) if shuffle else found) == (
        sorted(expected(train, tokenizer)) if shuffle else expected(train, tokenizer)
    )
    assert documents(store.heldout) == expected(heldout, tokenizer)
    tokens = [number for document in found for sentence in document for number in sentence]
    assert store.unigrams.tolist() == np.bincount(tokens, minlength=len(tokenizer)).tolist()
    assert store.train.tokens == len(tokens)
    for split in (store.train, store.heldout):
        for shard in split.shards:
            assert shard.ids.nbytes <= shard_bytes or len(shard.documents) == 2  # one document is never cut


def test_shuffling_follows_the_seed(tmp_path):
    train = [[" ".join("abc"[(n >> bit) % 2] for bit in range(7))] for n in range(100)]
    stores = {
        name: store_of(tmp_path / name, train, shuffle=name != "plain", seed=2 if name == "other" else 1)
        for name in ("plain", "one", "again", "other")
    }
    order = {name: documents(store.train) for name, store in stores.items()}
    assert order["one"] == order["again"]
    assert len({json.dumps(value) for value in order.values()}) == 3
    assert all(sorted(value) == sorted(order["plain"]) for value in order.values())
    assert stores["one"].digest == stores["again"].digest != stores["other"].digest
    assert not list((tmp_path / "one").glob(".*"))


def test_large_vocabularies_have_wider_ids(tmp_path):
    tokenizer = Tokenizer((*Names(), *(f"w{n}" for n in range(2**16 - 5)), "last"))
    store = store_of(tmp_path, [["last w1 w65530"]], [], tokenizer)
    assert store.train.shards[0].ids.tolist() == [65536, 6, 65535]
    assert (store.train.shards[0].ids.dtype, store.manifest["dtype"]) == ("<u4", "uint32")
    assert store.heldout.shards == []


@pytest.mark.parametrize("shuffle", [True, False])
def test_text_that_leaves_nothing_is_refused(tmp_path, shuffle):
    for train in ([], [[]], [["\x00", ""]]):
        with pytest.raises(DataError, match="no text"):
            store_of(tmp_path / "pieces", train, shuffle=shuffle)


def test_a_document_too_large_for_its_offsets_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "LARGEST_OFFSET", 3)
    with pytest.raises(DataError, match="document of 4 tokens"):
        store_of(tmp_path, [["a b", "a b"]])


FILES = [
    "train/shard-00000.ids", "train/shard-00000.sentences", "heldout/shard-00000.documents", "unigrams.i64",
    "tokenizer/vocab.txt", "tokenizer/tokenizer_config.json",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("harm", "message"), [(Path.unlink, "missing"), (tear, "torn"), (flip, "altered")])
def test_damage_is_named(tmp_path, name, harm, message):
    store_of(tmp_path)
    harm(tmp_path / name)
    with pytest.raises(IntegrityError, match=f"{name}.*{message}"):
        TokenStore.open(tmp_path)


def test_a_foreign_manifest_is_refused(tmp_path):
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        TokenStore.open(tmp_path)
    store_of(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    for key in manifest:
        if key != "settings":
            (tmp_path / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if k != key}))
            with pytest.raises(IntegrityError, match=r"manifest\.json"):
                TokenStore.open(tmp_path)
    unlisted = {**manifest, "files": {k: v for k, v in manifest["files"].items() if not k.endswith(".ids")}}
    (tmp_path / "manifest.json").write_text(json.dumps(unlisted))
    with pytest.raises(IntegrityError, match=r"shard-00000\.ids.*without a checksum"):
        TokenStore.open(tmp_path)
    other = {**manifest, "tokenizer": {"sha256": "0" * 64, "pieces": 10}}
    (tmp_path / "manifest.json").write_text(json.dumps(other))
    with pytest.raises(IntegrityError, match="not the tokenizer"):
        TokenStore.open(tmp_path)
