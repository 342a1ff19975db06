"""The page and the drawing of a study, from made-up records."""

import re

import pytest

from firth.errors import DataError
from firth.pipeline.studies import STUDIES
from firth.pipeline.study_results import difference, results
from firth.report.study import render, write_page
from firth.report.svg import seed_chart


def records(study, seeds, loss, unigram=7.0):
    """`loss(cell name, seed)` nats on every measure."""
    found = STUDIES[study]
    return [
        {
            "key": "0" * 64,
            "cell": cell.name,
            "seed": seed,
            "steps": 100,
            "tokens": 51_200,
            "experiment": f"toy-{seed}",
            "mlflow_run": f"run-{cell.name}-{seed}",
            "measured": {
                each.key: {"positions": 900, "loss": loss(cell.name, seed), "unigram": unigram, "accuracy": 0.1}
                for each in found.measures
            },
        }
        for seed in seeds
        for cell in found.cells
    ]


def made(study, seeds, loss, **more):
    return results(study, STUDIES[study], records(study, seeds, loss, **more), ["bert.steps: 2600 → 100"], None)


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


SPREAD = {1: 0.01, 2: -0.02, 3: 0.013, 4: 0.0}


def test_a_difference_larger_than_that_between_seeds_is_told_and_a_smaller_one_is_not():
    shift = {"5 %": 0.2, "15 %": 0.0, "30 %": 0.001, "50 %": -0.002, "80 %": 0.5}
    wobble = {"5 %": 1, "15 %": 0, "30 %": -2, "50 %": 2, "80 %": 1}
    found = made("masking-rate", SPREAD, lambda cell, seed: 6 + shift[cell] + SPREAD[seed] * (1 + wobble[cell]))
    clear = {each["cell"]: each["clear"] for each in found["measures"][0]["differences"]}
    assert clear == {"5 %": True, "30 %": False, "50 %": False, "80 %": True}
    said = text_of(render(found))
    assert "5 %: 0.20" in said
    assert "nats worse than 15 %" in said
    assert "30 %: no clear difference from 15 %." in said
    assert found["measures"][0]["cells"][0]["losses"] == pytest.approx([6.22, 6.16, 6.226, 6.2])


def test_of_one_seed_nothing_is_claimed():
    found = made("next-sentence", [1], lambda cell, _seed: 5.0 if cell == "on" else 6.0)
    assert not any(each["clear"] for measure in found["measures"] for each in measure["differences"])
    said = text_of(render(found))
    assert said.count("Nothing is claimed") == 2
    assert " better than " not in said


def test_seeds_that_disagree_claim_nothing():
    found = made("replacement", [1, 2], lambda cell, seed: 6.0 + (seed - 1.5 if cell == "always [MASK]" else 0))
    assert "No difference from 80/10/10 is beyond what the seeds alone make" in text_of(render(found))


def test_the_interval_is_that_of_students_t_and_wider_for_more_comparisons():
    one = difference("b", {1: 1.1, 2: 1.2, 3: 1.3}, {1: 1.0, 2: 1.0, 3: 1.0}, 1)
    assert one["mean"] == pytest.approx(0.2)
    assert one["high"] - one["mean"] == pytest.approx(4.3026527 * 0.1 / 3**0.5)
    four = difference("b", {1: 1.1, 2: 1.2, 3: 1.3}, {1: 1.0, 2: 1.0, 3: 1.0}, 4)
    assert four["low"] < 0 < one["low"] + 0.1


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("seeds", [[1], [1, 2, 3]])
def test_every_study_has_a_page_that_asks_nothing_of_a_network(tmp_path, study, seeds):
    page = write_page(tmp_path, made(study, seeds, lambda cell, seed: 6 + len(cell) / 50 + SPREAD[seed]))
    written = page.read_text(encoding="utf-8")
    assert page == tmp_path / "index.html"
    assert not re.search(r"(src|href)=\"(?!#)", written)
    assert "prefers-color-scheme: dark" in written
    assert not re.search(r"(fill|stroke)=\"", written), "colours are the style's, light and dark"
    assert written.count("<svg") == len(STUDIES[study].measures)
    for cell in STUDIES[study].cells:
        assert written.count(f">{cell.name}<") >= 2 + len(seeds)
    assert "How to read it" in written
    assert "bert.steps: 2600 → 100" in written


def test_a_dot_for_each_seed_and_the_level_only_where_it_is_near():
    rows = [
        {"cell": "a", "losses": [6.0, 6.1, 6.2], "mean": 6.1, "low": 6.0, "high": 6.2},
        {"cell": "<b>", "losses": [6.4, 6.5, 6.3], "mean": 6.4, "low": 6.3, "high": 6.5},
    ]
    near = seed_chart("k", "t", rows, marked="a", level=("guessing", 6.6), unit="nats")
    far = seed_chart("k", "t", rows, marked="a", level=("guessing", 9.6), unit="nats")
    assert near.count("<circle") == far.count("<circle") == 6
    assert 'class="chance"' in near
    assert 'class="chance"' not in far
    assert "guessing 9.600" in far
    assert "<b>" not in near
    single = [row | {"losses": row["losses"][:1], "mean": row["low"], "high": row["low"]} for row in rows]
    assert "whisker" not in seed_chart("k", "t", single, marked="a", level=("guessing", 6.6), unit="nats")


def test_without_held_out_text_there_is_nothing_to_compare():
    found = records("replacement", [1], lambda _cell, _seed: 6.0)
    found[0]["measured"]["hidden"] = None
    with pytest.raises(DataError, match="no held-out words"):
        results("replacement", STUDIES["replacement"], found, [], None)
