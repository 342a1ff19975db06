"""Phrases: the ones that gensim finds with the same formula, joined alike."""

from collections import Counter

import numpy as np
import pytest

from firth.config.text import Words
from firth.errors import IntegrityError
from firth.tokens import counting, encode
from firth.tokens.encode import build_store
from firth.tokens.phrases import PHRASES
from firth.tokens.store import WordStore


def toolkit_score(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count):
    return (bigram_count - min_count) / worda_count / wordb_count * corpus_word_count


def documents(count=400, seed=0):
    """Random words among which some pairs, triples and quadruples come up again and again."""
    rng = np.random.default_rng(seed)
    sets = ["new york", "new york city", "los angeles", "san francisco bay area", "new new york", "a b a b", "b a"]
    rows = []
    for _ in range(count):
        parts = []
        for _ in range(int(rng.integers(1, 12))):
            if rng.random() < 0.25:
                parts.append(sets[rng.integers(len(sets))])
            else:
                parts.append(f"w{int(rng.integers(60) * rng.random())}")
        rows.append([" ".join(parts), " ".join(parts[::-1])])
    return rows


def store_of(folder, train, heldout=(), min_count=1, threads=1, **phrases):
    settings = Words(min_count=min_count, shuffle=False, phrases={"passes": 1, "threshold": 3.0, **phrases})
    build_store(train, heldout, settings, folder, threads=threads)
    return WordStore.open(folder)


def sentences(store, ids):
    lines = " ".join("\n" if i < 0 else store.vocabulary.words[i] for i in ids).split("\n")
    return [line.split() for line in lines if line.strip()]


def table(folder):
    rows = [line.split("\t") for line in (folder / PHRASES).read_text().splitlines()]
    return {(int(number), first, second): (int(met), float(score)) for number, first, second, met, score in rows}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # gensim's imports under a newer NumPy
@pytest.mark.parametrize(("passes", "threshold", "discount"), [(1, 3.0, 5), (2, 3.0, 5), (3, 1.5, 0), (2, 8.0, 20)])
def test_phrases_are_those_of_gensim_with_the_same_formula(tmp_path, passes, threshold, discount):
    from gensim.models.phrases import Phrases

    train, heldout = documents(), documents(50, seed=1)
    store = store_of(tmp_path, train, heldout, passes=passes, threshold=threshold, discount=discount)
    ours = table(tmp_path)
    expected = [sentence.split() for document in train for sentence in document]
    expected_heldout = [sentence.split() for document in heldout for sentence in document]
    for number in range(1, passes + 1):
        peer = Phrases(
            expected, min_count=discount or 1e-12, threshold=threshold, delimiter="_", max_vocab_size=10**9,
            scoring=toolkit_score,
        )  # fmt: skip
        found = {name: score for name, score in peer.export_phrases().items() if score > threshold}
        mine = {f"{first}_{second}": score for (p, first, second), (_, score) in ours.items() if p == number}
        if number == 1:  # later gensim cannot tell a_b + c from a + b_c
            assert mine == pytest.approx(found, rel=1e-5)
        expected = [list(peer[sentence]) for sentence in expected]
        expected_heldout = [list(peer[sentence]) for sentence in expected_heldout]
    if passes == 1:
        assert sentences(store, store.train) == expected
    counts = Counter(word for sentence in sentences(store, store.train) for word in sentence)
    assert counts == dict(zip(store.vocabulary.words, store.vocabulary.counts.tolist(), strict=True))
    assert {"new_york", "los_angeles"} <= set(store.vocabulary.words)
    assert store.manifest["phrases"]["learnt"] == [sum(p == n for p, _, _ in ours) for n in range(1, passes + 1)]
    if passes == 1:
        known = set(store.vocabulary.words)
        assert sentences(store, store.heldout) == [
            kept for sentence in expected_heldout if (kept := [word for word in sentence if word in known])
        ]


def test_pairs_do_not_reach_over_sentences_or_other_words(tmp_path):
    train = [[f"x{n} ice", f"cream y{n}", "ice and cream", "ice hot cream"] for n in range(50)]
    store = store_of(tmp_path / "apart", train, threshold=0.1, discount=0)
    assert not {"ice_cream", "cream_ice"} & set(store.vocabulary.words)
    store = store_of(tmp_path / "together", [*train, ["ice cream"]], threshold=0.001, discount=0)
    assert "ice_cream" in store.vocabulary.words


def test_text_is_joined_from_the_left_and_a_word_once_in_a_pass(tmp_path):
    store = store_of(tmp_path / "1", [["la la la"] * 30 + ["a b c d e f g h i j k l m"] * 30], threshold=1.0)
    assert sentences(store, store.train)[0] == ["la_la", "la"]
    assert sentences(store, store.train)[30] == ["a_b", "c_d", "e_f", "g_h", "i_j", "k_l", "m"]
    store = store_of(tmp_path / "2", [["la la la"] * 30 + ["a b c d e f g h"] * 30], threshold=1.0, passes=3)
    assert sentences(store, store.train)[0] == ["la_la_la"]
    assert sentences(store, store.train)[30] == ["a_b_c_d_e_f_g_h"]


def test_two_ways_to_the_same_phrase_are_one_word(tmp_path):
    train = [["a b c"] * 40 + ["b c"] * 400 + ["a b"] * 41 + ["x b c a"] * 40 + ["a b", "y"] * 20]
    store = store_of(tmp_path, train, threshold=0.1, passes=2, discount=0)
    assert len(set(store.vocabulary.words)) == len(store.vocabulary.words)


def test_pieces_threads_and_documents_do_not_show(tmp_path, monkeypatch):
    whole = store_of(tmp_path / "whole", documents(), documents(20, 1), passes=2)
    monkeypatch.setattr(encode, "BATCH_CHARACTERS", 500)
    again = store_of(tmp_path / "parts", documents(), documents(20, 1), threads=3, passes=2)
    assert again.digest == whole.digest
    monkeypatch.setattr(counting, "PIECE", 50)
    assert store_of(tmp_path / "pieces", documents(), documents(20, 1), passes=2).digest == whole.digest


def test_no_phrases_are_written_when_they_are_off(tmp_path):
    store_of(tmp_path, documents())
    assert (tmp_path / PHRASES).exists()
    store = store_of(tmp_path, documents(), passes=0)
    assert not (tmp_path / PHRASES).exists()
    assert "phrases" not in store.manifest
    assert not any("_" in word for word in store.vocabulary.words)


def test_an_altered_phrase_file_is_refused(tmp_path):
    store_of(tmp_path, documents())
    path = tmp_path / PHRASES
    path.write_text(path.read_text().replace("new", "old"))
    with pytest.raises(IntegrityError, match=r"phrases\.tsv.*altered"):
        WordStore.open(tmp_path)


def test_too_many_pairs_are_pruned_and_reported(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rare = [[" ".join(f"w{n}" for n in rng.integers(0, 500, 12)) + " new york"] for _ in range(2000)]
    settings = Words(min_count=1, max_distinct=1000, phrases={"passes": 1, "threshold": 5.0})
    manifest = build_store(rare, [], settings, tmp_path)
    pruned = manifest["phrases"]["pruned_pairs"]
    assert pruned["pairs"] > 1000
    assert pruned["below"] > 1
    assert "rare pairs of words were forgotten" in capsys.readouterr().err
    assert ("new_york", 2000) in zip(*vocabulary(tmp_path), strict=True)


def vocabulary(folder):
    store = WordStore.open(folder)
    return store.vocabulary.words, store.vocabulary.counts.tolist()
