"""Batches of like length: everything once, in an order that the seed draws."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from firth.tasks.learning.batches import POOL, shuffled


def drawn(usable: list[int], sizes: list[int], batch: int, seed: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    return list(shuffled(np.array(usable, np.int64), np.array(sizes, np.int64), batch, generator))


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=80), st.integers(1, 5), st.integers(0, 3))
def test_each_usable_input_is_in_one_batch(inputs: list[tuple[bool, int]], batch: int, seed: int) -> None:
    usable, sizes = [n for n, (used, _) in enumerate(inputs) if used], [size for _, size in inputs]
    batches = drawn(usable, sizes, batch, seed)
    assert sorted(number for each in batches for number in each) == usable
    assert all(1 <= len(each) <= batch for each in batches)
    assert len(batches) == -(-len(usable) // batch), "as many as the schedule of rates has steps"


def test_a_batch_is_of_like_length_and_the_order_is_drawn() -> None:
    sizes = np.random.default_rng(1).permutation(np.arange(4 * POOL)).tolist()
    batches = drawn(list(range(4 * POOL)), sizes, 4, 1)
    spreads = [max(sizes[n] for n in each) - min(sizes[n] for n in each) for each in batches]
    assert spreads == [3] * POOL, "one pool, sorted: neighbours in length"
    longest = [max(sizes[n] for n in each) for each in batches]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))
    assert batches == drawn(list(range(4 * POOL)), sizes, 4, 1)
    assert batches != drawn(list(range(4 * POOL)), sizes, 4, 2)


def test_the_order_is_what_it_was() -> None:
    """Results of earlier trainings can be made again as long as the generator is asked in this order."""
    sizes = [3, 1, 2, 5, 4, 3, 3, 1]
    assert drawn([0, 1, 2, 3, 4, 6, 7], sizes, 2, 7) == [[7], [3, 4], [2, 1], [6, 0]]
