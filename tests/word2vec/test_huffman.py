import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.errors import DataError
from firth.word2vec.huffman import HuffmanTree


def lengths(tree):
    return np.diff(tree.offsets)


def best_total(counts):
    """The least sum of count times length of all prefix codes, by trying all lengths that a code can have (Kraft)."""
    size = len(counts)
    return min(
        sum(count * length for count, length in zip(counts, chosen, strict=True))
        for chosen in itertools.product(range(1, size), repeat=size)
        if sum(2.0**-length for length in chosen) <= 1.0
    )


def codewords(tree):
    return ["".join(map(str, tree.way(word)[1])) for word in range(len(tree))]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=60))
def test_any_counts_give_a_full_prefix_code_over_all_inner_nodes(counts):
    tree = HuffmanTree.of(np.array(counts))
    words = codewords(tree)
    assert len(tree) == len(counts)
    assert sum(2.0 ** -len(word) for word in words) == 1.0
    ordered = sorted(words)
    assert not any(later.startswith(first) for first, later in itertools.pairwise(ordered))
    assert sorted(set(tree.points.tolist())) == list(range(len(counts) - 1))
    nodes = {}  # the same turns lead to the same node, whatever word they are taken for
    for word in range(len(counts)):
        points, codes = tree.way(word)
        assert points[0] == len(counts) - 2
        assert len(points) == len(codes) == len(set(points.tolist()))
        for place, point in enumerate(points.tolist()):
            assert nodes.setdefault("".join(map(str, codes[:place])), point) == point
    assert len(nodes) == len(counts) - 1
    for i, j in itertools.combinations(range(len(counts)), 2):
        if counts[i] > counts[j]:
            assert len(words[i]) <= len(words[j])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 100), min_size=2, max_size=6))
def test_no_prefix_code_is_shorter(counts):
    tree = HuffmanTree.of(np.array(counts))
    assert (lengths(tree) * counts).sum() == best_total(counts)


def test_the_tree_of_a_known_alphabet():
    """5 words, counts 8 4 2 1 1: the two rarest are joined first, the later one by code 0."""
    tree = HuffmanTree.of(np.array([8, 4, 2, 1, 1]))
    assert codewords(tree) == ["0", "10", "110", "1111", "1110"]
    assert [tree.way(word)[0].tolist() for word in range(5)] == [[3], [3, 2], [3, 2, 1], [3, 2, 1, 0], [3, 2, 1, 0]]
    assert tree.longest == 4
    assert (tree.points.dtype, tree.codes.dtype, tree.offsets.dtype) == (np.int32, np.int8, np.int64)
    with pytest.raises(ValueError, match="read-only"):
        tree.points[0] = 1


def test_two_words_are_one_turn_apart():
    tree = HuffmanTree.of(np.array([10, 3]))
    assert codewords(tree) == ["1", "0"]
    assert tree.points.tolist() == [0, 0]


def test_equal_counts_give_a_balanced_tree():
    assert set(lengths(HuffmanTree.of(np.full(64, 7))).tolist()) == {6}
    assert set(lengths(HuffmanTree.of(np.zeros(64, np.int64))).tolist()) == {6}


def test_counts_that_grow_as_fibonacci_numbers_give_a_deep_tree():
    counts = [1, 1]
    while len(counts) < 80:
        counts.append(counts[-1] + counts[-2])
    tree = HuffmanTree.of(np.array(counts[::-1]))
    assert tree.longest == 79
    assert lengths(tree).tolist() == [*range(1, 80), 79]


def test_the_order_of_the_words_does_not_matter_to_the_lengths():
    counts = np.random.default_rng(0).permutation(np.arange(1, 200))
    ordered = np.sort(counts)[::-1]
    by_count = dict(zip(counts.tolist(), lengths(HuffmanTree.of(counts)).tolist(), strict=True))
    assert [by_count[count] for count in ordered.tolist()] == lengths(HuffmanTree.of(ordered)).tolist()


def test_a_million_words_are_quick():
    counts = 10**9 // np.arange(1, 1_000_001)
    tree = HuffmanTree.of(counts)
    assert len(tree.points) == tree.offsets[-1] == lengths(tree).sum()
    entropy = -(counts / counts.sum() * np.log2(counts / counts.sum())).sum()
    assert entropy <= (lengths(tree) * counts).sum() / counts.sum() < entropy + 1


@pytest.mark.parametrize(
    ("counts", "message"),
    [([], "2 words"), ([5], "2 words"), ([3, -1], "0 or more"), ([2**62, 2**62], "below 2")],
)
def test_counts_that_make_no_tree_are_refused(counts, message):
    with pytest.raises(DataError, match=message):
        HuffmanTree.of(np.array(counts, dtype=np.int64))
