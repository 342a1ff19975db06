"""The tables a run ends with: what was measured, side by side, within 100 columns."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from scored_project import ScoredProject

from firth.canonical import write_json
from firth.config import load_params
from firth.pipeline import finish
from firth.pipeline.graph import Graph, Hints, Stage
from firth.pipeline.scores import markdown, tables
from firth.pipeline.terminal import show_scores

WIDTH = 100
SYSTEMS = ("skipgram", "cbow", "random", "bert", "bert-finetuned", "reference")


@pytest.fixture
def measured(tmp_path: Path) -> ScoredProject:
    made = ScoredProject(tmp_path / "project")
    for model in ("skipgram", "cbow"):
        made.train(model, 1)
        write_json(made.root / "data" / "metrics" / f"word2vec-{model}.json", {"train/loss": 2.25, "heldout/loss": 2.5})
    made.pretrain(1, gain=0.5)
    for number, task in enumerate(("boolq", "disflqa", "ner", "snippets")):
        results(made.root, task, ("accuracy", "f1", "entity_f1", "matthews")[number])
    return made


def results(root: Path, task: str, metric: str) -> None:
    systems = [
        {"system": name, "encoder": name.partition("-")[0], "score": 0.612, "low": 0.571, "high": 0.651,
         "tie_with_majority": name == "random"}
        for name in SYSTEMS
    ]  # fmt: skip
    tree = {"task": task, "metric": metric, "majority": {"score": 0.5, "what": "always no"}, "systems": systems}
    write_json(root / "data" / "tasks" / task / "results.json", tree)


def printed(root: Path, decisions: list[dict[str, Any]]) -> list[str]:
    console = Console(width=WIDTH)
    with console.capture() as capture:
        show_scores(console, [asdict(table) for table in tables(root)], decisions)
    return capture.get().splitlines()


def test_each_kind_of_model_has_its_table(measured: ScoredProject) -> None:
    lines = printed(measured.root, [])
    shown = "\n".join(line.rstrip() for line in lines)
    assert max(map(len, lines)) <= WIDTH
    assert "…" not in shown.replace("0.378 … 0.623", "")
    row = {line.partition("  ")[0]: line for line in lines}
    assert row["training loss"].split()[-2:] == ["2.250", "2.250"]
    assert row["wordsim353, Spearman"].split("  ")[-1].strip() == "0.500 [0.490, 0.510]"
    assert row["gain over word frequencies, nats"].endswith("0.500")
    assert row["next sentence, accuracy"].endswith("0.530")
    assert "Guessing the next sentence comes to 0.378 … 0.623 (95%)." in shown
    assert row["majority"].split() == ["majority", *["0.50"] * 4]
    assert row["BERT untrained"].count("≈") == 4
    assert row["BERT finetuned"].count("0.61 ±0.04") == 4
    assert "≈" not in row["BERT finetuned"]
    assert lines[-2].rstrip() == "Protocol sane: one setting, the median of the seeds."
    stages = ("bert", "word2vec@", "report", "prepare")
    assert not [line for line in lines if line.startswith(stages)], "rows of the stages' table begin with these names"


def test_more_tasks_than_fit_stand_below(measured: ScoredProject) -> None:
    for number in range(5):
        results(measured.root, f"own-{number}", "accuracy")
    assert [len(table.columns) for table in tables(measured.root) if table.title == "Tasks"] == [4, 4, 1]
    assert max(map(len, printed(measured.root, []))) <= WIDTH


def test_the_same_in_markdown(measured: ScoredProject) -> None:
    text = markdown([asdict(table) for table in tables(measured.root)])
    assert "| | skipgram | cbow |\n|---|---:|---:|" in text
    assert "| | boolq, accuracy | disflqa, f1 |" in text


def test_a_line_a_model_says_what_the_gate_decided(measured: ScoredProject) -> None:
    decisions: list[dict[str, Any]] = [
        {"model": "skipgram", "verdict": "promoted", "champion": "2", "reasons": ["first champion"]},
        {"model": "bert", "verdict": "refused", "champion": None, "reasons": ["mlm 0.1 is below", "[other]"]},
    ]
    lines = printed(measured.root, decisions)[-2:]
    assert lines == [
        "gate  skipgram: promoted, @champion is v2",
        "gate  bert: refused: mlm 0.1 is below; [other]; there is no champion",
    ]


def test_nothing_measured_nothing_shown(tmp_path: Path) -> None:
    assert tables(tmp_path) == []
    assert printed(tmp_path, []) == []


def place(project: ScoredProject, *stages: str) -> Any:
    graph = Graph({name: Stage(name, (), Hints()) for name in stages})
    plan = SimpleNamespace(params=load_params(project.root / "params.yaml"), root=project.root)
    return SimpleNamespace(folder=project.root, graph=graph, plan=plan)


def test_the_gate_is_asked_about_what_this_run_measured(measured: ScoredProject) -> None:
    trained = ("word2vec@skipgram", "word2vec@cbow", "bert")
    assert finish.scored_models(place(measured, *trained, "word-tasks", "tasks@mood")) == ["skipgram", "cbow", "bert"]
    assert finish.scored_models(place(measured, *trained)) == ["bert"], "held-out text is looked at by the stage itself"
    assert finish.scored_models(place(measured, "word2vec@cbow", "word-tasks")) == ["cbow"]
    measured.change("gate.bert.suites={mood: {minimum: 0.5}}", "gate.bert.decisive=mood")
    assert finish.scored_models(place(measured, "bert")) == []
    assert finish.scored_models(place(measured, "bert", "tasks@mood")) == ["bert"]
    (measured.root / "data" / "models" / "bert" / "training.json").unlink()
    assert finish.scored_models(place(measured, "bert", "tasks@mood")) == []


def test_a_run_is_linked_where_a_server_shows_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = {"stage": "bert", "run_id": "r1", "experiment_id": "7", "seconds": 12.5}
    noted = {**run, "metrics": {"train/mlm_loss": 7.0, "heldout/mlm_gain": 0.5}, "model": "bert"}
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("FIRTH_STATE", str(tmp_path))
    assert finish._tracker_pages(tmp_path) is None
    shown = finish._run(noted, None)
    assert shown == {**run, "metrics": {"heldout/mlm_gain": 0.5}, "url": None}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000/")
    address = finish._run(noted, finish._tracker_pages(tmp_path))["url"]
    assert address == "http://127.0.0.1:5000/#/experiments/7/runs/r1"
