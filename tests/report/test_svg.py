"""Drawing: ticks that are round, labels that keep clear of each other."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.report.svg.draw import Scale, el, text_width, ticks
from firth.report.svg.heat import SIZE, attention_chart
from firth.report.svg.labels import place
from firth.report.svg.systems import system_chart

BOUNDS = (0.0, 0.0, 400.0, 300.0)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_inside_and_are_evenly_spaced(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 7
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in found)
    steps = {round((b - a) / span, 6) for a, b in pairwise(found)}
    assert len(steps) <= 1


def test_an_element_escapes_text_and_attributes() -> None:
    drawn = el("text", "<b>", class_='"x"', stroke_width=1.25, gone=None)
    assert drawn == '<text class="&#34;x&#34;" stroke-width="1.2">&lt;b&gt;</text>'


def test_a_scale_without_a_span_stays_in_the_middle() -> None:
    assert Scale(2.0, 2.0, 0.0, 10.0)(2.0) == 5.0


Points = st.lists(
    st.tuples(st.floats(0, 400), st.floats(0, 300), st.text("abcdefgh", min_size=1, max_size=9)), max_size=40
)


def box(label: object) -> tuple[float, float, float, float]:
    width = text_width(label.text, 13)
    left = {"start": label.x, "middle": label.x - width / 2, "end": label.x - width}[label.anchor]
    return left, label.y - 13 * 0.8, left + width, label.y + 13 * 0.25


@given(Points)
def test_labels_stay_inside_and_off_each_other(points: list[tuple[float, float, str]]) -> None:
    labels = [label for label in place(points, 13, BOUNDS) if label]
    boxes = [box(label) for label in labels]
    for left, top, right, bottom in boxes:
        assert left >= 0 and top >= 0 and right <= 400 and bottom <= 300
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            assert wide <= 0 or high <= 0 or wide * high <= 6


@given(Points)
def test_keep_all_gives_every_point_a_label(points: list[tuple[float, float, str]]) -> None:
    assert all(place(points, 13, BOUNDS, keep_all=True))


def test_a_label_keeps_clear_of_what_it_should_avoid() -> None:
    wall = [(105.0, 90.0, 400.0, 110.0)]
    (free,) = place([(100, 100, "word")], 13, BOUNDS)
    (moved,) = place([(100, 100, "word")], 13, BOUNDS, avoid=wall)
    assert free and free.anchor == "start"
    assert moved and moved.anchor == "end"


def test_each_seed_is_a_stroke_at_its_own_score() -> None:
    """One seed lies far outside of the interval: the axis reaches it."""
    row = {"model": "bert", "label": "BERT", "score": 0.7, "low": 0.65, "high": 0.75, "hollow": False, "remark": ""}
    drawn = system_chart(
        "t", "T", [row | {"seeds": [0.3, 0.7, 0.72]}], line=None, show=lambda score: f"{score:.2f}", bounds=(0.0, 1.0)
    )
    strokes = [float(x) for x in re.findall(r'<line x1="([0-9.]+)"[^>]*class="seed m-bert"', drawn)]
    (dot,) = (float(x) for x in re.findall(r'<circle cx="([0-9.]+)"', drawn))
    assert len(strokes) == 3
    assert strokes[1] == dot
    assert (dot - strokes[0]) / (strokes[2] - dot) == pytest.approx(20, rel=0.1)
    none = system_chart("t", "T", [row | {"seeds": []}], line=None, show=str, bounds=(0.0, 1.0))
    assert "seed" not in none


def test_the_line_to_beat_crosses_no_name() -> None:
    row = {"model": "bert", "label": "A system with a long name", "score": 0.7, "low": 0.6, "high": 0.8, "seeds": []}
    rows = [row | {"hollow": False, "remark": ""}] * 2
    drawn = system_chart("t", "T", rows, line=("majority", 0.55), show=str, bounds=(0.0, 1.0))
    crossed = re.findall(r'y1="([\d.]+)" y2="([\d.]+)" class="chance"', drawn)
    names = [float(y) for y in re.findall(r'y="([\d.]+)" class="word"', drawn)]
    assert (len(crossed), len(names)) == (3, 2)
    assert all(float(top) >= y + 4 or float(low) <= y - 13 for top, low in crossed for y in names)


def test_the_leaning_labels_of_attention_lie_inside_the_drawing() -> None:
    pieces = ["[CLS]", "internationalization", "of", "Wales", "[SEP]"]
    even = [[0.2] * len(pieces)] * len(pieces)
    drawn = attention_chart("a", "attention", pieces, even, 0.4, "bert")
    width = float(re.findall(r'viewBox="0 0 ([\d.]+) ', drawn)[0])
    lean = math.radians(55)
    found = re.findall(r'translate\(([\d.]+) ([\d.]+)\) rotate\(-55\)"[^>]*>([^<]+)<', drawn)
    assert [piece for _, _, piece in found] == pieces
    for x, y, piece in found:
        length, letters = text_width(piece, SIZE), 0.8 * SIZE
        assert float(y) - length * math.sin(lean) - letters * math.cos(lean) >= 0
        assert float(x) + length * math.cos(lean) <= width
