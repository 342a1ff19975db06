"""What the final page is told of MLflow: the trainings' runs, and each row's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from scored_project import TASK, ScoredProject, mlflow_template, project

from firth.canonical import read_json, write_json
from firth.pipeline import finish
from firth.tracking.evaluations import record

__all__ = ["mlflow_template", "project"]


def test_the_rows_of_the_tables_are_linked_to_their_runs(
    project: ScoredProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("firth.report.final.render", lambda _folder, **known: given.update(known))
    project.train("skipgram", 1)
    project.pretrain(1)
    project.examples()
    project.measure(skipgram=0.7, bert=0.8)
    record(read_json(project.root / "data" / "tasks" / TASK / "results.json"), project.root, 1_700_000_000.0)
    write_json(project.root / "data" / "report" / "report.json", {})
    place: Any = SimpleNamespace(folder=project.root, plan=SimpleNamespace(root=project.root))
    tracked = finish.track(place)
    assert {each["stage"] for each in tracked["runs"]} == {"word2vec@skipgram", "bert"}
    finish.render_run(place, finish.Summary("brave-otter", [], True, None), tracked, [], 1.0)
    assert [each["url"] for each in given["evaluations"]] == [None, None], "no server shows them"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000/")
    finish.render_report(project.root)
    assert [(each["task"], each["system"]) for each in given["evaluations"]] == [(TASK, "skipgram"), (TASK, "bert")]
    for each in given["evaluations"]:
        assert each["url"] == f"http://127.0.0.1:5000/#/experiments/{each['experiment_id']}/runs/{each['run_id']}"
