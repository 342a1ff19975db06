"""Search: one order of the answers, whoever finds them; an index that is torn or of other vectors is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from trained_words import news

from firth.errors import FirthError, IntegrityError
from firth.vectors import search
from firth.vectors.search import Approximate, Exact, unit_of


def by_hand(matrix, target, n):
    """All cosines in float64, sorted by cosine and row."""
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    cosines = (matrix.astype(np.float64) * target).sum(axis=1) / np.where(lengths == 0, 1, lengths)
    return np.lexsort((np.arange(len(matrix)), -np.round(cosines, 7)))[:n], cosines


@pytest.mark.parametrize("together", [1, 700, 1 << 24])
def test_exact_search_is_the_sorted_cosines(monkeypatch, together):
    monkeypatch.setattr(search, "SCORES", together)
    monkeypatch.setattr(search, "GATHERED", 64)
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(300, 20)).astype(np.float32) * 50
    matrix[7] = 0
    targets = np.stack([unit_of(row) for row in matrix[:9]])
    for n in (1, 10, 299, 5000):
        for found, target in zip(Exact(matrix).nearest(targets, n), targets, strict=True):
            rows, cosines = by_hand(matrix, target, n)
            np.testing.assert_array_equal(found.rows, rows)
            np.testing.assert_allclose(found.scores, cosines[rows], atol=1e-6)


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 50))
def test_equal_vectors_have_equal_cosines_in_the_order_of_rows(seed, kinds, n):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(kinds, 33)).astype(np.float32)[rng.integers(0, kinds, 60)]
    exact = Exact(matrix)
    targets = np.stack([unit_of(row) for row in rng.normal(size=(5, 33)).astype(np.float32)])
    together = exact.nearest(targets, n)
    for target, found in zip(targets, together, strict=True):
        alone = exact.nearest(target[None], n)[0]
        np.testing.assert_array_equal(alone.rows, found.rows)
        np.testing.assert_array_equal(alone.scores, found.scores)
        for a, b in zip(range(n), range(1, len(found.rows)), strict=False):
            same = np.array_equal(matrix[found.rows[a]], matrix[found.rows[b]])
            assert (found.scores[a] == found.scores[b] and found.rows[a] < found.rows[b]) if same else True
            assert found.scores[a] >= found.scores[b]


@pytest.mark.slow
def test_an_index_finds_nearly_all_neighbours_of_trained_vectors(tmp_path):
    _, vectors = news()
    exact = vectors.exact
    index = Approximate.build(exact, threads=1)
    targets = vectors.unit[::7]
    hits = 0
    for wanted, found in zip(exact.nearest(targets, 10), index.nearest(targets, 10), strict=True):
        shared = set(wanted.rows) & set(found.rows)
        hits += len(shared)
        scores = dict(zip(wanted.rows.tolist(), wanted.scores.tolist(), strict=True))
        assert all(scores[row] == score for row, score in zip(found.rows, found.scores, strict=True) if row in scores)
        assert (np.diff(found.scores) <= 0).all()
    assert hits / (10 * len(targets)) > 0.99

    index.save(tmp_path / "index")
    Approximate.build(exact, threads=1).save(tmp_path / "again")
    assert (tmp_path / "index").read_bytes() == (tmp_path / "again").read_bytes()
    loaded = Approximate.load(tmp_path / "index", exact)
    for before, after in zip(index.nearest(targets[:50], 10), loaded.nearest(targets[:50], 10), strict=True):
        np.testing.assert_array_equal(before.rows, after.rows)


def test_an_index_gives_all_rows_where_more_are_asked_for():
    matrix = np.random.default_rng(1).normal(size=(30, 8)).astype(np.float32)
    matrix[[3, 9]] = 0
    exact = Exact(matrix)
    found = Approximate.build(exact, threads=1).nearest(np.stack([unit_of(matrix[0])]), 99)[0]
    np.testing.assert_array_equal(found.rows, exact.nearest(np.stack([unit_of(matrix[0])]), 99)[0].rows)


def test_an_index_of_equal_vectors_which_cannot_be_walked_through_still_answers_in_full():
    rng = np.random.default_rng(0)
    matrix = np.concatenate([np.repeat(rng.normal(size=(1, 8)), 3000, axis=0), rng.normal(size=(50, 8))])
    exact = Exact(matrix.astype(np.float32))
    target = np.stack([unit_of(exact.matrix[-1])])
    found = Approximate.build(exact, threads=1).nearest(target, 2900)[0]
    np.testing.assert_array_equal(found.rows, exact.nearest(target, 2900)[0].rows)


@pytest.mark.parametrize("harm", ["other", "torn", "flipped", "text", "tensors", "gone"])
def test_an_index_that_is_not_of_these_vectors_is_refused(tmp_path, harm):
    exact = Exact(np.random.default_rng(1).normal(size=(30, 8)).astype(np.float32))
    path = tmp_path / "index"
    Approximate.build(exact, threads=1).save(path)
    whole = path.read_bytes()
    if harm == "other":
        exact = Exact(exact.matrix + np.float32(1e-6))
    elif harm == "torn":
        path.write_bytes(whole[:-9])
    elif harm == "flipped":
        path.write_bytes(whole[:-40] + bytes([whole[-40] ^ 255]) + whole[-39:])
    elif harm == "text":
        path.write_text("no index")
    elif harm == "tensors":
        save_file({"input": exact.matrix}, path)
    else:
        path.unlink()
    expected = IntegrityError if harm in ("torn", "flipped", "text", "gone") else FirthError
    with pytest.raises(expected, match="index"):
        Approximate.load(path, exact)
