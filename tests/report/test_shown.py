"""Whose answers the page shows: the best system that is clear of the majority, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.official_tasks import add_official, system

from firth.errors import IntegrityError
from firth.report.inputs import read_task
from firth.report.shown import shown


def test_the_best_that_does_not_tie_else_the_best() -> None:
    tied = system("reference", "reference", "MiniLM", [0.8], tie=True)
    clear = system("skipgram-bilstm", "skipgram", "skip-gram vectors, BiLSTM", [0.7])
    lower = system("bert", "bert", "BERT", [0.65])
    majority = {"score": 0.6, "what": "always 'a'"}
    found = shown({"systems": [lower, tied, clear], "majority": majority})
    assert found == {
        "system": "skipgram-bilstm",
        "name": "skip-gram vectors, BiLSTM, frozen",
        "clear_of_majority": True,
    }
    below = system("bert-finetuned", "bert", "BERT, fine-tuned", [0.3])
    assert shown({"systems": [below, tied], "majority": majority}) == {
        "system": "reference", "name": "MiniLM, frozen", "clear_of_majority": False,
    }  # fmt: skip
    assert shown({"systems": [below], "majority": majority}) == {
        "system": "bert-finetuned", "name": "BERT, fine-tuned", "clear_of_majority": False,
    }  # fmt: skip
    assert shown({"systems": [], "majority": majority}) is None


def test_the_page_shows_the_answers_of_that_system_and_names_it(
    official: Path, tasks_page: Callable[[Path], str]
) -> None:
    systems = [
        system("bert", "bert", "BERT", [0.6]),
        system("reference-finetuned", "reference", "Tiny, published, fine-tuned", [0.9]),
    ]
    add_official(official, "names", "conll2003", systems=systems)
    add_official(official, "rte", "glue/rte", systems=systems)
    lines = [json.dumps({"id": f"names-{i:02d}", "predicted": ["O", "O", "B-LOC", "O"]}) for i in range(30)]
    (official / "data" / "tasks" / "names" / "predictions-reference-finetuned.jsonl").write_text("\n".join(lines))
    page = tasks_page(official)
    found = re.search(r'<article class="task" id="task-names".*?</article>', page, re.S)
    assert found
    said = " ".join(re.sub(r"<[^>]+>", " ", found[0]).replace("\u00a0", " ").split())
    assert "Answers of Tiny, published, fine-tuned , the best system that does not tie with the majority" in said
    assert "Leeds (LOC) (expected: Firth (PER), Leeds (LOC))" in said
    assert "LOC 30 30 30 100.0 % 100.0 % 100.0 % PER 30 0 0 – 0.0 % 0.0 %" in said
    assert "Names that Tiny, published, fine-tuned finds on" in found[0]
    assert "Tiny, published, fine-tuned, answers →" in page


def test_where_none_is_clear_that_is_said(official: Path, tasks_page: Callable[[Path], str]) -> None:
    add_official(official, "rte", "glue/rte", systems=[system("bert", "bert", "BERT", [0.52], tie=True)])
    page = tasks_page(official)
    assert "<strong>BERT, frozen</strong>, the best system, though none is clear of the majority" in page


def test_word_vectors_alone(official: Path, tasks_page: Callable[[Path], str]) -> None:
    only = [system("skipgram", "skipgram", "skip-gram vectors", [0.7, 0.71, 0.69])]
    add_official(official, "rte", "glue/rte", systems=only)
    page = tasks_page(official)
    assert "Answers of <strong>skip-gram vectors, frozen</strong>" in page
    assert "No answers to show." not in page


def test_answers_that_are_gone_are_one_clear_error(official: Path) -> None:
    add_official(official, "rte", "glue/rte", systems=[system("bert", "bert", "BERT", [0.7])])
    (official / "data" / "tasks" / "rte" / "predictions-bert.jsonl").unlink()
    with pytest.raises(IntegrityError, match=r"predictions-bert\.jsonl: missing, .* the stage tasks@rte again"):
        read_task(official / "data", "rte")


def test_every_way_with_several_seeds_shows_each_of_them(official: Path, tasks_page: Callable[[Path], str]) -> None:
    ways = ("skipgram", "skipgram-bilstm", "skipgram-finetuned", "skipgram-finetuned-bilstm", "bert", "bert-bilstm")
    rows = [system(way, way.split("-")[0], way, [0.7, 0.75, 0.72]) for way in (*ways, "bert-finetuned")]
    add_official(official, "rte", "glue/rte", systems=[*rows, system("random", "random", "BERT, untrained", [0.6])])
    found = re.search(r'<svg[^>]*aria-labelledby="task-rte-title.*?</svg>', tasks_page(official), re.S)
    assert found
    assert found[0].count('class="seed ') == 3 * len(rows)
    assert found[0].count(", seeds 70.0\u00a0%, 75.0\u00a0%, 72.0\u00a0%</title>") == len(rows)
