"""Our scores beside the published ones: which columns, what was run, spreads, ties, and averages that are whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import yaml
from tests.support.official_tasks import add_official, system

from firth.config import load_params
from firth.report.beside import beside
from firth.report.extent import extent
from firth.report.inputs import read_task
from firth.report.published import GLUE, TABLES
from firth.tasks.official.glue import PAPER_METRICS

BERT, FLAT = [0.7, 0.72, 0.71], [0.5, 0.52, 0.51]


def two_systems() -> list[dict[str, Any]]:
    return [
        system("bert-finetuned", "bert", "BERT, fine-tuned", BERT),
        system("skipgram", "skipgram", "skip-gram vectors", FLAT, tie=True),
    ]


def tables(root: Path) -> list[dict[str, Any]]:
    params = load_params(root / "params.yaml")
    return beside([read_task(root / "data", name) for name in params.tasks], params.tasks)


def text(page: str, element: str) -> str:
    """An article of the page, or a section, without tags."""
    found = re.search(rf'<(article|section)[^>]* id="{element}".*?</\1>', page, re.S)
    assert found, element
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).replace("\u00a0", " ").split())


def of(table: dict[str, Any], name: str) -> tuple[dict[str, Any], int]:
    names = [column["name"] for column in table["columns"]]
    return table["columns"][names.index(name)], names.index(name)


def all_of_glue(root: Path) -> None:
    for name in (*PAPER_METRICS, "wnli"):
        add_official(root, name, f"glue/{name}", systems=two_systems())


def test_the_published_tables_are_the_papers() -> None:
    for table in TABLES:
        assert all(len(scores) == len(table.columns) for _, scores in table.rows)
    assert [(column.of, column.metric) for column in GLUE.columns] == [
        (f"glue/{name}", metric) for name, metric in
        sorted(PAPER_METRICS.items(), key=lambda item: [c.of for c in GLUE.columns].index(f"glue/{item[0]}"))
    ]  # fmt: skip
    # The paper's averages are of more decimals than its scores.
    for (_, scores), average in zip(GLUE.rows, GLUE.averages, strict=True):
        assert fmean(float(score or "nan") for score in scores) == pytest.approx(float(average), abs=0.06)
    assert GLUE.rows[3][0] == "BERT base" and GLUE.averages == ("74.0", "71.0", "75.1", "79.6", "82.1")


def test_tasks_of_ones_own_have_no_published_table(project: Path, tasks_page: Callable[[Path], str]) -> None:
    assert tables(project) == []
    page = tasks_page(project)
    said = text(page, "tasks")
    assert "Devlin" not in said and "published scores" not in said and "official" not in said
    assert "#published" not in page


def test_the_whole_of_glue_has_an_average_and_wnli_apart(official: Path, tasks_page: Callable[[Path], str]) -> None:
    all_of_glue(official)
    (glue,) = tables(official)
    assert [column["name"] for column in glue["columns"]] == [
        "MNLI-m", "MNLI-mm", "QQP", "QNLI", "SST-2", "CoLA", "STS-B", "MRPC", "RTE", "Average", "WNLI",
    ]  # fmt: skip
    bert, flat = glue["ours"]
    # The made-up scores by other metrics are one point lower: STS-B's by Spearman.
    assert bert["scores"][9]["score"] == pytest.approx((8 * 0.71 + 0.70) / 9, abs=1e-4)
    assert flat["scores"][9]["tie"] is False
    assert glue["published"][3]["scores"][8:] == ["66.4", "79.6", None]
    said = text(tasks_page(official), "published-glue")
    assert "GLUE: published scores and ours" in said
    assert "BERT base 84.6 83.4 71.2 90.5 93.5 52.1 85.8 88.9 66.4 79.6 –" in said
    assert "Published ones of test test test test test test test test test test –" in said
    assert "Ours of dev dev dev dev dev dev dev dev dev dev dev" in said
    assert "WNLI stands apart" in said
    assert "≈" in said.split("Skip-gram vectors, frozen")[1]


@pytest.mark.parametrize("gone", ["rte", "mnli-mm"])
def test_no_average_of_ours_where_a_column_is_missing(official: Path, gone: str) -> None:
    for name in PAPER_METRICS:
        if name != gone:
            add_official(official, name, f"glue/{name}", systems=two_systems())
    (glue,) = tables(official)
    assert [row["scores"][9] for row in glue["ours"]] == [None, None]
    column, number = of(glue, gone.replace("mnli", "MNLI").replace("rte", "RTE"))
    assert (column["task"], column["measured_on"], column["examples"]) == (None, None, None)
    assert glue["published"][4]["scores"][number] is not None


def test_a_system_without_a_column_has_no_average(official: Path) -> None:
    all_of_glue(official)
    add_official(official, "rte", "glue/rte", systems=two_systems()[:1])
    (glue,) = tables(official)
    bert, flat = glue["ours"]
    assert bert["scores"][9] is not None
    assert (flat["scores"][8], flat["scores"][9]) == (None, None)


def test_subset_or_full_of_the_official_files(official: Path, tasks_page: Callable[[Path], str]) -> None:
    add_official(official, "cola", "glue/cola", systems=two_systems())
    add_official(official, "mrpc", "glue/mrpc", examples={"train": 3668, "dev": 300}, systems=two_systems())
    said = text(tasks_page(official), "published-glue")
    assert "Ours learned from – – – – – 2,500 of 8,551 (subset) – 3,668 (full) – –" in said
    assert "Ours asked – – – – – 1,043 (full) – 300 of 408 (subset) – –" in said
    assert "Learned from 2,500 of 8,551 (subset), asked 1,043 (full) examples of the official files." in text(
        tasks_page(official), "task-cola"
    )


def test_more_than_the_official_dev_side_is_no_full_one(official: Path, tasks_page: Callable[[Path], str]) -> None:
    add_official(official, "names", "conll2003", examples={"train": 14041, "dev": 3453}, systems=two_systems())
    assert "asked 3,453 (officially 3,250)" in text(tasks_page(official), "task-names")


def test_a_dev_side_out_of_train_is_no_dev_set(official: Path, tasks_page: Callable[[Path], str]) -> None:
    for name in PAPER_METRICS:
        add_official(official, name, f"glue/{name}", systems=two_systems(), **({"dev": None} if name == "rte" else {}))
    (glue,) = tables(official)
    column, _ = of(glue, "RTE")
    assert column["measured_on"] == "part of train"
    assert column["examples"]["dev"] == {"count": 277, "of": None}
    assert [row["scores"][9] for row in glue["ours"]] == [None, None]
    assert "asked 277 examples held out of the official training file" in text(tasks_page(official), "task-rte")


def test_the_published_metric_of_ours_without_a_spread(official: Path, tasks_page: Callable[[Path], str]) -> None:
    add_official(official, "stsb", "glue/sts-b", systems=two_systems())
    add_official(official, "qqp", "glue/qqp", systems=two_systems())
    (glue,) = tables(official)
    bert = glue["ours"][0]
    sts, qqp = bert["scores"][6], bert["scores"][2]
    assert (sts["score"], sts["spread"]) == (0.70, None)
    assert (qqp["score"], qqp["spread"]) == (0.71, pytest.approx(stdev(BERT), abs=1e-4))
    assert glue["majority"][6] is None and glue["majority"][2] == 0.5
    said = text(tasks_page(official), "published-glue")
    assert "STS-B: shown is, as published, Spearman, of the training that counts by our own score (mean of the" in said
    assert "QQP: shown" not in said


def test_which_of_mnlis_two_dev_sides(official: Path) -> None:
    add_official(official, "first", "glue/mnli-m", dev="dev_matched_subset.tsv.xz")
    add_official(official, "second", "glue/mnli-mm", dev="dev_mismatched_subset.tsv.xz")
    (glue,) = tables(official)
    assert [column["task"] for column in glue["columns"][:2]] == ["first", "second"]
    tree = yaml.safe_load((official / "params.yaml").read_text())
    hub = {"kind": "hub", "dataset": "nyu-mll/glue", "subset": "mnli", "revision": "main", "sha256": "7" * 64}
    tree["tasks"]["first"]["dev"] = hub | {"split": "validation_mismatched"}
    (official / "params.yaml").write_text(yaml.safe_dump(tree))
    params = load_params(official / "params.yaml")
    run = read_task(official / "data", "first")
    assert extent(run, params.tasks["first"]) == {"set": "glue/mnli-mm", "rows": {"train": 392_702, "dev": 9_832}}


def test_two_tasks_of_one_set_have_two_columns(official: Path, tasks_page: Callable[[Path], str]) -> None:
    all_of_glue(official)
    add_official(official, "rte-small", "glue/rte", examples={"train": 100, "dev": 277}, systems=two_systems())
    (glue,) = tables(official)
    assert [(one["task"], one["repeated"]) for one in glue["columns"] if one["name"] == "RTE"] == [
        ("rte", True), ("rte-small", True),
    ]  # fmt: skip
    assert glue["published"][3]["scores"][8:11] == ["66.4", "66.4", "79.6"]
    assert [row["scores"][10] for row in glue["ours"]] == [None, None]
    assert "RTE rte RTE rte-small Average" in text(tasks_page(official), "published-glue")


def test_wnli_alone_stands_beside_nothing(official: Path, tasks_page: Callable[[Path], str]) -> None:
    add_official(official, "wnli", "glue/wnli", systems=two_systems())
    assert tables(official) == []
    assert "Learned from 635 (full), asked 71 (full)" in text(tasks_page(official), "task-wnli")


def test_squad_swag_and_names_stand_in_dev_columns(official: Path, tasks_page: Callable[[Path], str]) -> None:
    for name, of_set in (("squad", "squad"), ("swag", "swag"), ("names", "conll2003")):
        add_official(official, name, of_set, systems=two_systems())
    assert [table["family"] for table in tables(official)] == ["squad", "conll2003", "swag"]
    said = text(tasks_page(official), "published-squad")
    assert "test-server" not in said and "GLUE" not in said
    assert "Published ones of dev dev test test Ours of dev dev – –" in said
    assert "Ours learned from 2,500 of 87,599 (subset) 2,500 of 87,599 (subset) – –" in said
    assert "BERT large (ensemble, + TriviaQA) 86.2 92.2 87.4 93.2" in said
    assert "BERT, fine-tuned 3 seeds 70.0 71.0 ± 1.0 – –" in said
    assert "Skip-gram vectors, frozen 3 seeds 50.0 ≈ 51.0 ± 1.0 ≈ – –" in said
    assert "Majority, no encoder – 50.0 – –" in said
    assert "BERT base, fine-tuned 96.4 92.4" in text(tasks_page(official), "published-conll2003")
    assert "Human (expert) – 85.0" in text(tasks_page(official), "published-swag")


def test_a_spread_is_of_the_trainings_that_count(official: Path, tasks_page: Callable[[Path], str]) -> None:
    runs = [
        {"seed": 1, "score": 0.5, "collapsed": True, "replaced_by": 4},
        {"seed": 2, "score": 0.7, "collapsed": False},
        {"seed": 3, "score": None, "collapsed": False, "diverged_at": 7},
        {"seed": 4, "score": 0.72, "collapsed": False},
    ]
    row = system("bert-finetuned", "bert", "BERT, fine-tuned", [0.7, 0.72, 0.71], runs=runs)
    alone = system("random", "random", "BERT, untrained", [0.6])
    add_official(official, "cola", "glue/cola", systems=[row, alone])
    (glue,) = tables(official)
    cell, single = (one["scores"][5] for one in glue["ours"])
    assert (cell["seeds"], cell["spread"]) == (2, pytest.approx(stdev([0.7, 0.72]), abs=1e-4))
    assert cell["score_of"] == "median of 2 seeds that ended; 1 of 4 collapsed; 1 of 4 diverged"
    assert (single["seeds"], single["spread"]) == (1, None)
    assert "BERT, untrained, frozen 1 seed – – – – – 60.0 – – – –" in text(tasks_page(official), "published-glue")
