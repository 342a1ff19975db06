"""The stream is cut into blocks: all of it, at sentences' ends, quickly and in little memory."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firth.word2vec.schedule import Schedule


@given(sentences=st.lists(st.integers(1, 1500), max_size=40), block=st.integers(1000, 5000), epochs=st.integers(1, 3))
def test_blocks_cover_the_stream_once_and_count_its_words(sentences, block, epochs):
    stream = np.concatenate([np.array([0] * n + [-1], np.int32) for n in sentences] or [np.zeros(0, np.int32)])
    schedule = Schedule.of(stream, block, epochs)
    edges = [(b.start, b.stop) for b in schedule.blocks]
    assert [start for start, _ in edges] == [0, *(stop for _, stop in edges)][: len(edges)]
    assert (edges[-1][1] if edges else 0) == len(stream)
    assert schedule.epoch_words == sum(sentences)
    seen = [schedule.seen_before(step) for step in range(len(schedule) + 1)]
    assert seen[-1] == schedule.total_words == epochs * sum(sentences)
    assert seen == sorted(seen)


def test_a_hundred_million_words_without_an_end_are_cut_quickly_and_in_little_memory(tmp_path):
    path = tmp_path / "stream.i32"
    with path.open("wb") as file:
        file.truncate(4 * 100_000_000)  # word 0, all along; a sparse file
    stream = np.memmap(path, dtype="<i4", mode="r")
    tracemalloc.start()
    started = time.process_time()
    try:
        schedule = Schedule.of(stream, 200_000, 5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(schedule.blocks) == 500
    assert schedule.total_words == 500_000_000
    assert time.process_time() - started < 5
    assert peak < 5_000_000
