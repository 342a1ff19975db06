"""Training goes on from older vectors: what is carried over, what begins anew, what stays untouched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firth.config.text import Words
from firth.config.word2vec import Recipe, Subwords, Word2Vec
from firth.errors import ConfigError, IntegrityError
from firth.tokens.encode import build_store
from firth.tokens.store import WordStore
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.vectors import Vectors
from firth.word2vec.continuation import Continuation, OldVectors
from firth.word2vec.engines import make_engine
from firth.word2vec.matrix_files import save_matrices
from firth.word2vec.train import Identity, train

RECIPE = Recipe(learning_rate=0.05, epochs=3)
SETTINGS = Word2Vec(dim=16, block_words=1000, skipgram=RECIPE, cbow=RECIPE, sample=0.0)


def store_of(folder, words, seed=0):
    rng = np.random.default_rng(seed)
    sentences = [" ".join(words[i] for i in rng.integers(0, len(words), 10)) for _ in range(400)]
    build_store([sentences], [], Words(min_count=1, shuffle=False), folder)
    return WordStore.open(folder)


@pytest.fixture
def old(tmp_path):
    vocabulary = Vocabulary(("alpha", "beta", "gamma", "delta"), np.array([40, 30, 20, 10]))
    rng = np.random.default_rng(3)
    matrices = {name: rng.normal(size=(4, 16)).astype(np.float32) for name in ("input", "output")}
    save_matrices(tmp_path / "old", vocabulary, matrices)
    return tmp_path / "old"


def going_on(store, old):
    start = Continuation.of(OldVectors.load(old), store.vocabulary)
    return replace(store, vocabulary=start.vocabulary), start


def trained(store, old, folder, settings=SETTINGS, model="skipgram"):
    store, start = going_on(store, old)
    return store, train(store, model, settings, folder, lambda *_: None, start, lightning=False)


def test_the_vocabulary_is_the_texts_with_what_it_lacks_behind_it(tmp_path, old):
    text = store_of(tmp_path / "text", ["beta", "new", "beta", "newer", "beta"])
    start = Continuation.of(OldVectors.load(old), text.vocabulary)
    assert start.vocabulary.words[:3] == text.vocabulary.words
    assert start.vocabulary.words[3:] == ("alpha", "gamma", "delta")
    assert start.vocabulary.counts[3:].tolist() == [0, 0, 0]
    assert (start.known, start.new, start.absent) == (1, 2, 3)
    assert start.summary().startswith("1 words go on from their vectors, 2 are new, 3 are not in this text")
    assert "output" not in start.summary()


def test_an_untrained_engine_gets_the_old_rows_and_draws_the_new_ones(tmp_path, old):
    store, start = going_on(store_of(tmp_path / "text", ["beta", "new"]), old)
    engine, fresh = (make_engine("cbow", store.vocabulary, SETTINGS) for _ in range(2))
    start.apply(engine)
    before = OldVectors.load(old)
    for word in ("alpha", "beta", "gamma", "delta"):
        for name in ("input", "output"):
            row = before.matrices[name][before.vocabulary.ids[word]]
            np.testing.assert_array_equal(engine.state[name][store.vocabulary.ids[word]], row)
    new = store.vocabulary.ids["new"]
    np.testing.assert_array_equal(engine.state["input"][new], fresh.state["input"][new])
    assert engine.state["input"][new].any()


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_words_that_the_text_lacks_keep_both_vectors_to_the_bit(tmp_path, old, model):
    store, result = trained(store_of(tmp_path / "text", ["beta", "new", "newer"]), old, tmp_path / "run", model=model)
    before = OldVectors.load(old)
    for word in ("alpha", "gamma", "delta"):
        for name in ("input", "output"):
            row = before.matrices[name][before.vocabulary.ids[word]]
            np.testing.assert_array_equal(result.matrices[name][store.vocabulary.ids[word]], row)
    beta = before.matrices["input"][1]
    assert np.abs(result.matrices["input"][store.vocabulary.ids["beta"]] - beta).max() > 1e-3


def test_new_words_are_learnt_where_old_ones_stand(tmp_path):
    """`sun` goes with `day`, `moon` with `night`; then `star` comes with `night`."""
    rng = np.random.default_rng(0)

    def text(*topics):
        return [" ".join(rng.choice(topics[i % len(topics)], 8)) for i in range(600)]

    day, night = ["sun", "day", "light", "noon"], ["moon", "night", "dark", "owl"]
    build_store([text(day, night)], [], Words(min_count=1), tmp_path / "first")
    first = WordStore.open(tmp_path / "first")
    settings = SETTINGS.model_copy(update={"skipgram": Recipe(learning_rate=0.1, epochs=15)})
    vectors = train(first, "skipgram", settings, tmp_path / "run1", lambda *_: None, lightning=False)
    save_matrices(tmp_path / "old", first.vocabulary, vectors.matrices)
    build_store([text([*night, "star"], day)], [], Words(min_count=1), tmp_path / "second")
    store, more = trained(WordStore.open(tmp_path / "second"), tmp_path / "old", tmp_path / "run2", settings)
    found = Vectors(store.vocabulary, more.matrices["input"])
    assert {word for word, _ in found.most_similar("star", 3)} <= set(night)
    before = Vectors(first.vocabulary, vectors.matrices["input"])
    kept = np.mean([np.dot(before[w], found[w]) / np.linalg.norm(before[w]) / np.linalg.norm(found[w]) for w in night])
    assert kept > 0.9  # the space is the old one: vectors of before and after can be compared


def test_resumed_it_ends_with_the_same_bytes(tmp_path, old):
    text = store_of(tmp_path / "text", ["beta", "new", "newer"])
    settings = SETTINGS.model_copy(update={"checkpoint_seconds": 1e-6})
    _, whole = trained(text, old, tmp_path / "whole", settings)
    store, start = going_on(text, old)
    calls = []

    def stop(step, _metrics):
        calls.append(step)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(store, "skipgram", settings, tmp_path / "broken", stop, start, lightning=False)
    again = train(store, "skipgram", settings, tmp_path / "broken", lambda *_: None, start, lightning=False)
    for name, matrix in whole.matrices.items():
        np.testing.assert_array_equal(again.matrices[name], matrix)


def test_imported_vectors_without_output_start_it_at_zero_and_say_so(tmp_path):
    vocabulary = Vocabulary(("beta", "alpha"), np.array([2, 1]))
    save_matrices(tmp_path / "old", vocabulary, {"input": np.ones((2, 16), np.float32)})
    store, start = going_on(store_of(tmp_path / "text", ["beta", "new"]), tmp_path / "old")
    assert "no output vectors: they start at 0" in start.summary()
    engine = make_engine("skipgram", store.vocabulary, SETTINGS)
    start.apply(engine)
    assert not engine.state["output"].any()
    assert (engine.state["input"][store.vocabulary.ids["alpha"]] == 1).all()


def test_it_is_another_training_than_one_from_scratch(tmp_path, old):
    store, start = going_on(store_of(tmp_path / "text", ["beta", "new"]), old)
    scratch, on = Identity.of(store, "cbow", SETTINGS), Identity.of(store, "cbow", SETTINGS, start)
    assert scratch.fingerprint != on.fingerprint
    assert on.inputs["init"] == start.digest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dim": 8}, r"word2vec.dim = 8: the vectors in .* have 16 dimensions"),
        ({"objective": "hierarchical_softmax"}, "word2vec.objective = hierarchical_softmax: its tree"),
        ({"subwords": Subwords(buckets=100)}, "word2vec.subwords.buckets = 100: .* were trained with 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(old, changes, said):
    with pytest.raises(ConfigError, match=said):
        OldVectors.load(old).check(SETTINGS.model_copy(update=changes))


def test_vectors_of_a_huffman_tree_are_refused(tmp_path):
    vocabulary = Vocabulary(("beta", "alpha"), np.array([2, 1]))
    matrices = {"input": np.ones((2, 16), np.float32), "nodes": np.ones((1, 16), np.float32)}
    save_matrices(tmp_path / "old", vocabulary, matrices)
    with pytest.raises(ConfigError, match="hierarchical softmax"):
        OldVectors.load(tmp_path / "old")


def test_with_subwords_own_rows_and_n_grams_are_carried_over(tmp_path):
    settings = SETTINGS.model_copy(update={"subwords": Subwords(buckets=200, longest=4)})
    first = store_of(tmp_path / "first", ["beta", "gamma", "a"])
    vectors = train(first, "skipgram", settings, tmp_path / "run1", lambda *_: None, lightning=False)
    save_matrices(tmp_path / "old", first.vocabulary, vectors.matrices, settings.subwords)
    store, start = going_on(store_of(tmp_path / "text", ["beta", "better", "new"]), tmp_path / "old")
    start.old.check(settings)
    engine = make_engine("skipgram", store.vocabulary, settings)
    start.apply(engine)
    rows = [store.vocabulary.ids[word] for word in first.vocabulary.words]
    np.testing.assert_allclose(engine.vectors()["input"][rows], vectors.matrices["input"], atol=1e-6)
    np.testing.assert_array_equal(engine.state["ngrams"], vectors.matrices["ngrams"])
    np.testing.assert_array_equal(engine.state["output"][rows], vectors.matrices["output"])
    with pytest.raises(ConfigError, match=r"subwords.longest = 6: .* were trained with 4"):
        start.old.check(SETTINGS.model_copy(update={"subwords": Subwords(buckets=200)}))
    with pytest.raises(ConfigError, match=r"subwords.buckets = 0: .* were trained with 200"):
        start.old.check(SETTINGS)


def test_a_folder_that_does_not_hold_together_is_refused(tmp_path, old):
    (old / "vocabulary.tsv").write_text("alpha\t3\nbeta\t1\n")
    with pytest.raises(IntegrityError, match="does not fit 2 words"):
        OldVectors.load(old)
    with pytest.raises(IntegrityError, match="no such file"):
        OldVectors.load(tmp_path / "nowhere")
