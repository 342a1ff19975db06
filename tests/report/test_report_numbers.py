"""Numbers for pairs and choices among endings on the page: correlations as such, texts with what was said of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.bert_project import write_task

from firth.canonical import read_json, write_json
from firth.config import load_params
from firth.report.collect import collect
from firth.report.inputs import read_inputs
from firth.report.page import render
from firth.report.tasks import worked


def section(root: Path, task: str) -> str:
    """The part of one task, without tags."""
    params = load_params(root / "params.yaml")
    report = collect(read_inputs(root / "data", list(params.tasks)), params)
    page = render(json.loads(json.dumps(report)), data="..")
    found = re.search(rf'<article class="task" id="task-{task}".*?</article>', page, re.S)
    assert found
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).replace("\u00a0", " ").split())


def instead(root: Path, task: str, kind: str, metric: str) -> None:
    """Another kind of task in the place of one of the project's."""
    said = {"title": "Other", "licence": "CC0", "attribution": "tests", "metric": metric, "published": ""}
    write_task(root / "data", task, said | {"kind": kind}, "")


@pytest.mark.parametrize("metric", ["pearson_spearman", "pearson", "spearman"])
def test_numbers_are_shown_with_both_texts_and_correlations_from_minus_1(
    build: Callable[..., Path], metric: str
) -> None:
    root = build()
    instead(root, "snippets", "number", metric)
    path = root / "data" / "tasks" / "snippets" / "results.json"
    found = read_json(path)
    found["systems"][1] |= {"score": -0.25, "low": -0.5, "high": 0.01}
    write_json(path, found)
    said = section(root, "snippets")
    assert "A number for two texts. Learned from 1,200" in said
    assert "orrelation" in said
    assert "frozen −0.250 −0.500 to 0.010" in said
    assert "BERT, fine-tuned fine-tuned 0.630 0.590 to 0.670" in said
    assert "right: off by at most a tenth of the range" in said
    assert "A plane is taking off. An air plane is leaving. ✗ −0.5 (expected: 4.2)" in said


def test_choices_are_shown_with_the_ending_that_was_chosen(build: Callable[..., Path]) -> None:
    root = build()
    instead(root, "snippets", "choice", "accuracy")
    said = section(root, "snippets")
    assert "Which of several endings goes on from a text. Learned" in said
    assert "He opens the door of the shed. ✗ He flies to the moon. (expected: He takes out a rake.)" in said
    assert "He opens the door of the shed. ✓ He takes out a rake." in said
    assert "BERT 58.0 %" in said.replace("frozen ", "")


def test_a_number_is_right_within_a_tenth_of_the_range() -> None:
    dev = {name: {"first": f"the first text of {name}", "second": "the second text", "score": score}
           for name, score in (("least", 0.0), ("middle", 2.0), ("most", 5.0))}  # fmt: skip
    for predicted, right in ((2.49, True), (1.51, True), (2.51, False), (1.49, False)):
        (found,) = worked("number", dev, [{"id": "middle", "predicted": predicted}])
        assert found["right"] is right
        assert (found["expected"], found["predicted"]) == ("2", f"{predicted}")
    assert worked("number", {}, []) == []
