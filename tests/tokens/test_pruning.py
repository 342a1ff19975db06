"""More distinct words than may be held: the rarest are forgotten by a rule that can be written down in ten lines."""

from collections import Counter

import numpy as np
import pytest

from firth.config.text import Words
from firth.errors import DataError
from firth.tokens import counting, encode
from firth.tokens.encode import build_store, build_store_from_files
from firth.tokens.store import WordStore

MOST = 1000


def documents(seed=0, count=400):
    """Frequent words among thousands that are met once or twice."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        words = [f"common{int(n)}" for n in rng.zipf(1.5, 20) % 200]
        words += [f"rare{int(n)}" for n in rng.integers(0, 20_000, 10)]
        rows.append([" ".join(rng.permutation(words))])
    return rows


def by_hand(pieces, most):
    """What the rule says: counts, words forgotten, their occurrences, the bar."""
    counts, words, occurrences, below = Counter(), 0, 0, 0
    for piece in pieces:
        counts.update(piece)
        while len(counts) > most:
            below = max(below, 1, min(counts.values())) + 1
            gone = [word for word in counts if counts[word] < below]
            words += len(gone)
            occurrences += sum(counts.pop(word) for word in gone)
    return counts, {"words": words, "occurrences": occurrences, "below": below}


def pieces_of(rows, characters):
    pieces, batch, size = [], [], 0
    for (sentence,) in rows:
        batch += sentence.split()
        size += len(sentence)
        if size >= characters:
            pieces.append(batch)
            batch, size = [], 0
    return [*pieces, batch] if batch else pieces


@pytest.mark.parametrize("characters", [5_000, 20_000])
def test_what_is_forgotten_follows_the_rule(tmp_path, monkeypatch, capsys, characters):
    monkeypatch.setattr(encode, "BATCH_CHARACTERS", characters)
    monkeypatch.setattr(counting, "PIECE", 100)
    rows = documents()
    settings = Words(min_count=3, max_distinct=MOST, shuffle=False)
    manifest = build_store(rows, documents(1, 20), settings, tmp_path)
    counts, pruned = by_hand(pieces_of(rows, characters), MOST)
    assert manifest["pruned"] == pruned
    assert pruned["below"] >= 2
    store = WordStore.open(tmp_path)
    expected = sorted(((w, c) for w, c in counts.items() if c >= 3), key=lambda pair: (-pair[1], pair[0]))
    assert list(zip(store.vocabulary.words, store.vocabulary.counts.tolist(), strict=True)) == expected
    assert np.bincount(store.train[store.train >= 0]).tolist() == [count for _, count in expected]
    read = sum(len(sentence.split()) for (sentence,) in rows)
    assert manifest["splits"]["train"]["out_of_vocabulary_words"] == read - len(store.train) + len(rows)
    assert manifest["vocabulary"]["distinct_words_read"] == len(counts) + pruned["words"]
    assert capsys.readouterr().err.count("words.max_distinct") == 1


def test_the_number_of_threads_does_not_show(tmp_path, monkeypatch):
    monkeypatch.setattr(encode, "BATCH_CHARACTERS", 3000)
    settings = Words(min_count=2, max_distinct=MOST)
    one = build_store(documents(), documents(1), settings, tmp_path / "one")
    for threads in (2, 5):
        assert build_store(documents(), documents(1), settings, tmp_path / str(threads), threads=threads) == one


def test_words_of_held_out_lines_alone_go_first(tmp_path):
    train = [[" ".join(f"word{n}" for n in range(900))]]
    heldout = [[" ".join(f"other{n}" for n in range(900)) + " word5"]]
    manifest = build_store(train, heldout, Words(min_count=1, max_distinct=MOST), tmp_path)
    assert manifest["pruned"] == {"words": 0, "occurrences": 0, "below": 1}
    assert manifest["vocabulary"]["words"] == 900
    assert manifest["splits"]["heldout"]["words"] == 1


def test_pruning_of_text_files(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(sentence for (sentence,) in documents()))
    manifest = build_store_from_files([path], Words(min_count=2, max_distinct=MOST), tmp_path / "w", heldout_share=0.1)
    assert manifest["pruned"]["words"] > 0
    WordStore.open(tmp_path / "w")


def test_when_everything_is_equally_rare_nothing_is_left_and_said(tmp_path):
    with pytest.raises(DataError, match="no word occurs 1 times or more"):
        build_store([[" ".join(f"w{n}" for n in range(2000))]], [], Words(min_count=1, max_distinct=MOST), tmp_path)
