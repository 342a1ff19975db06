"""The registry's tables on a terminal."""

from __future__ import annotations

import pytest
from rich.console import Console

from firth.registry.show import Listed, ModelsTable

SCORES = {
    "analogies": 0.15354, "wordsim353": 0.6121, "simlex999": 0.2353, "boolq": 0.61, "disflqa": 0.02, "ner": None,
    "snippets": 0.67,
}  # fmt: skip


def test_all_suites_of_the_demo_stand_beside_each_other_where_there_is_room() -> None:
    text = shown(Console(width=100))
    (refused,) = (line for line in text.splitlines() if "refused" in line)
    assert refused.split() == [
        "v12", "@challenger", "refused", "0.154", "0.612", "0.235", "0.610", "0.020", "–", "0.670",
    ]  # fmt: skip


@pytest.mark.parametrize("width", range(50, 110))
def test_no_heading_is_broken_and_no_score_left_out(width: int) -> None:
    text = shown(Console(width=width))
    assert [word for word in text.split() if word in SCORES] == list(SCORES)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert text.count("0.612") == 2


def test_a_version_without_scores_is_listed() -> None:
    console = Console(width=80)
    with console.capture() as printed:
        console.print(ModelsTable([Listed("bert", "1", [], "undecided", {}, "run")]))
    assert printed.get().split()[-3:] == ["v1", "–", "undecided"]


def shown(console: Console) -> str:
    rows = [
        Listed("word2vec-skipgram", "12", ["challenger"], "refused", SCORES, "run"),
        Listed("word2vec-skipgram", "1", ["champion", "previous"], "promoted", SCORES, "run"),
    ]
    with console.capture() as printed:
        console.print(ModelsTable(rows))
    return printed.get()


def test_more_suites_stand_below_one_another() -> None:
    scores = dict(SCORES) | {f"set-{number:02}": -number / 100 for number in range(10, 20)}
    console = Console(width=80)
    with console.capture() as shown:
        console.print(ModelsTable([Listed("word2vec-skipgram", "1", ["champion"], "promoted", scores, "run")]))
    numbers = [line.split()[1:] for line in shown.get().splitlines() if line.strip().startswith("v1 ")]
    assert numbers[0][:2] == ["@champion", "promoted"]
    told = [*numbers[0][2:], *(number for part in numbers[1:] for number in part)]
    in_order = [*list(scores)[:3], *sorted(list(scores)[3:])]
    assert told == ["–" if scores[suite] is None else f"{scores[suite]:.3f}" for suite in in_order]
    assert shown.get().count("word2vec-skipgram") == 1
