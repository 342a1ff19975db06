"""The drawing of the antonym study."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from firth.report.svg import span, strip_chart
from firth.tasks.words.antonyms import antonym_study
from firth.tasks.words.opposites import TRIPLES


def study(shift: float) -> dict[str, Any]:
    """Of vectors of which each word's opposite has its own direction, but for a part of `shift`."""
    words = list(dict.fromkeys(word for triple in TRIPLES for word in triple[1:]))
    matrix = np.random.default_rng(4).normal(size=(len(words), 30)).astype(np.float32)
    place = {word: row for row, word in enumerate(words)}
    for triple in TRIPLES:
        matrix[place[triple.antonym]] += shift * matrix[place[triple.word]]
    return antonym_study(words, matrix, bootstrap=100, seed=1)


def test_every_pair_is_a_dot_and_every_random_pair_a_tick() -> None:
    found = study(1.0)
    drawn = str(strip_chart("study", "skipgram", "Skip-gram", found))
    assert drawn.count("<circle") == 2 * len(TRIPLES)
    (ticks,) = re.findall(r'<path d="([^"]+)" class="rug"', drawn)
    assert ticks.count("M") == 4 * len(TRIPLES)
    assert f"{found['kinds']['antonym']['mean']:.3f}" in drawn
    nearest = max(found["rows"], key=lambda row: row["cosine"]["antonym"])
    assert f">{nearest['word']} – {nearest['antonym']}</text>" in drawn
    assert drawn == str(strip_chart("study", "skipgram", "Skip-gram", found))


def test_all_cosines_lie_inside_the_limits() -> None:
    one, other = study(0.0), study(2.0)
    low, high = span([one, other])
    cosines = [value for found in (one, other) for row in found["rows"] for value in row["cosine"].values()]
    assert low < min(*cosines, *one["random"], *other["random"])
    assert high > max(*cosines, *one["random"], *other["random"])
    assert span([]) == (-0.08, 0.08)


@pytest.mark.parametrize("covered", [0, 1])
def test_a_study_of_few_pairs_is_drawn_or_left_out(covered: int) -> None:
    words = ["war", "peace", "conflict", "x", "y"][3 - 3 * covered :]
    matrix = np.random.default_rng(1).normal(size=(len(words), 4)).astype(np.float32)
    drawn = str(strip_chart("study", "cbow", "CBOW", antonym_study(words, matrix, bootstrap=100, seed=1)))
    assert drawn.count("<circle") == 2 * covered
    assert bool(drawn) == bool(covered)
