"""Runs: one a fingerprint, continued and not repeated, and a training that goes on when MLflow is away."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scored_project import DVC, ScoredProject

from firth.errors import FirthError
from firth.tracking.lineage import read_provenance
from firth.tracking.reconcile import reconcile
from firth.tracking.runs import RUN_FILE, find_run, training_run
from firth.tracking.sender import steps_held
from firth.tracking.store import Store, create_tables_once, open_store, tracking_uri

PARAMS = {"dim": 4, "skipgram": {"epochs": 2}}
INPUTS = {"data/tokens/words": "a" * 64}


def track(project: ScoredProject, steps: range, fingerprint: str = "f" * 64) -> None:
    folder = project.root / ".firth" / "runs" / "word2vec-skipgram" / fingerprint
    with training_run("word2vec@skipgram", fingerprint, PARAMS, INPUTS, folder) as run:
        for step in steps:
            run.log({"train/loss": 1 / step, "train/words_per_second": 1e6, "heldout/loss": float("nan")}, step)


def curve(store: Store, run_id: str, key: str) -> list[tuple[int, float]]:
    return sorted((point.step, point.value) for point in store.client.get_metric_history(run_id, key))


def test_a_run_says_what_it_is(project: ScoredProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.train("skipgram", 1)
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "flow-7")
    track(project, range(1, 4))
    store = open_store(project.root)
    run = find_run(store, "f" * 64)
    assert run is not None
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "word2vec-skipgram-ffffffff"
    assert run.data.params == {"dim": "4", "skipgram.epochs": "2"}
    assert run.data.tags["firth.stage"] == "word2vec@skipgram"
    assert run.data.tags["firth.flow_run_id"] == "flow-7"
    assert run.data.tags["firth.validation"] == "passed"
    assert run.data.tags["firth.git.dirty"] == "false"
    assert run.data.tags["system.cpus"].isdigit()
    (dataset,) = [item.dataset for item in run.inputs.dataset_inputs]
    assert (dataset.name, dataset.digest) == ("data/tokens/words", DVC["data/tokens/words"])
    assert set(run.data.metrics) == {"train/loss", "train/words_per_second"}
    assert run.data.tags["mlflow.source.name"] == "dvc.yaml:word2vec@skipgram"
    assert run.info.artifact_uri.startswith((project.root / ".firth" / "mlflow" / "artifacts").as_uri())
    experiment = store.client.get_experiment(store.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_new_store_keeps_all_its_artifacts_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    elsewhere = tmp_path / "a-folder-that-goes"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    database = tmp_path / "mlflow" / "mlflow.db"
    create_tables_once(database)
    (default,) = MlflowClient(f"sqlite:///{database}").search_experiments()
    assert default.artifact_location == (tmp_path / "mlflow" / "artifacts" / "0").as_uri()
    assert list(elsewhere.iterdir()) == []


def test_a_resumed_run_goes_on_without_repeating_steps(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    track(project, range(1, 6))
    track(project, range(4, 9))
    store = open_store(project.root)
    runs = store.client.search_runs([store.experiment_id])
    assert len(runs) == 1
    assert curve(store, runs[0].info.run_id, "train/loss") == [(step, 1 / step) for step in range(1, 9)]


def test_a_lost_note_of_the_run_is_no_second_run(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    track(project, range(1, 3))
    shutil.rmtree(project.root / ".firth" / "runs")
    track(project, range(1, 5))
    store = open_store(project.root)
    assert len(store.client.search_runs([store.experiment_id])) == 1


@pytest.mark.parametrize(("raised", "status"), [(ValueError, "FAILED"), (SystemExit, "KILLED")])
def test_the_end_is_told(project: ScoredProject, raised: type[BaseException], status: str) -> None:
    project.train("skipgram", 1)
    folder = project.root / ".firth" / "runs" / "x"
    with pytest.raises(raised), training_run("s", "e" * 64, {}, {}, folder) as run:
        run.log({"train/loss": 1.0}, 1)
        raise raised
    store = open_store(project.root)
    found = store.client.get_run(json.loads((folder / RUN_FILE).read_text())["run_id"])
    assert found.info.status == status
    assert found.data.metrics == {"train/loss": 1.0}


def test_training_goes_on_without_mlflow_and_the_points_follow(
    project: ScoredProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fingerprint = project.train("skipgram", 1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = project.root / ".firth" / "runs" / "word2vec-skipgram" / fingerprint
    started = time.monotonic()
    with training_run("word2vec@skipgram", fingerprint, PARAMS, INPUTS, folder) as run:
        for step in (100, 200):
            run.log({"train/loss": 1.0}, step)
        assert time.monotonic() - started < 5
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert "MLflow did not take 2 points" in line
    assert "127.0.0.1" in line

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (done,) = reconcile(project.root)
    assert (done.model, done.created) == ("skipgram", True)
    store = open_store(project.root)
    assert curve(store, done.run_id, "train/loss") == [(100, 2.5), (200, 2.25)]


def test_reconcile_makes_one_run_of_restored_outputs(project: ScoredProject) -> None:
    fingerprint = project.train("skipgram", 1)
    project.train("cbow", 1)
    first = reconcile(project.root)
    assert [item.created for item in first] == [True, True]
    again = reconcile(project.root)
    assert [(item.run_id, item.created, item.points) for item in again] == [(item.run_id, False, 0) for item in first]
    store = open_store(project.root)
    run = find_run(store, fingerprint)
    assert run is not None
    assert run.info.status == "FINISHED"
    assert run.data.tags["firth.restored"] == "true"
    assert run.data.params["window"] == "5"
    assert curve(store, run.info.run_id, "heldout/loss") == [(100, 2.6), (200, 2.5)]
    assert curve(store, run.info.run_id, "wordsim353/spearman") == [(200, 0.5)]
    (dataset,) = [item.dataset for item in run.inputs.dataset_inputs]
    assert dataset.digest == DVC["data/tokens/words"]


def test_a_pretraining_restored_from_the_cache_has_its_run(project: ScoredProject) -> None:
    fingerprint = project.pretrain(1, gain=0.5)
    project.examples()
    project.measure(bert=0.75)
    (done,) = reconcile(project.root)
    assert (done.model, done.stage, done.created, done.seconds) == ("bert", "bert", True, None)
    store = open_store(project.root)
    run = find_run(store, fingerprint)
    assert run is not None
    assert run.info.run_name == f"bert-{fingerprint[:8]}"
    assert run.data.params["optimizer.learning_rate"] == "0.001"
    assert run.data.params["masking.rate"] == "0.15"
    assert run.data.params["next_sentence"] == "True"
    assert curve(store, done.run_id, "train/mlm_loss") == [(10, 7.5), (20, 7.25)]
    assert curve(store, done.run_id, "heldout/mlm_gain") == [(20, 0.5)]
    assert curve(store, done.run_id, "heldout/unigram_loss") == [(20, 7.0)]
    assert curve(store, done.run_id, "mood/accuracy") == [(20, 0.75)]
    assert done.metrics["heldout/nsp_accuracy"] == 0.53
    upstream = read_provenance(store, done.run_id)["stages"]
    assert upstream["wordpiece"] == {"data/tokenizer": DVC["data/tokenizer"]}
    (dataset,) = [item.dataset for item in run.inputs.dataset_inputs]
    assert (dataset.name, dataset.digest) == ("data/tokens/pieces", DVC["data/tokens/pieces"])

    assert reconcile(project.root)[0].points == 0
    project.measure(bert=0.5)  # scored again on other settings: the newer score is the run's
    (again,) = reconcile(project.root)
    assert (again.created, again.points, again.metrics["mood/accuracy"]) == (False, 1, 0.5)


def test_task_scores_are_those_of_each_models_own_weights(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    project.pretrain(1)
    project.examples()
    project.measure(skipgram=0.7, bert=0.8)
    project.pretrain(2)
    done = {item.model: item.metrics for item in reconcile(project.root)}
    assert done["skipgram"]["mood/accuracy"] == 0.7
    assert "mood/accuracy" not in done["bert"]


def test_a_tracked_pretraining_says_how_long_it_took(project: ScoredProject) -> None:
    fingerprint = project.pretrain(1)
    folder = project.root / ".firth" / "runs" / "bert" / fingerprint
    inputs = {"data/tokens/pieces": "a" * 64}
    nested = {"init": "", "masking": {"rate": 0.15}, "optimizer": {"learning_rate": 1e-3}}
    with training_run("bert", fingerprint, nested, inputs, folder) as run:
        run.log({"train/mlm_loss": 7.5, "train/tokens_per_second": 1e3}, 10)
    (done,) = reconcile(project.root)
    assert done.created is False
    assert done.seconds is not None
    assert done.metrics["train/tokens_per_second"] == 1e3


def test_a_run_left_without_its_description_is_mended(project: ScoredProject) -> None:
    fingerprint = project.train("skipgram", 1)
    store = open_store(project.root)
    tags = {"firth.fingerprint": fingerprint, "firth.stage": "word2vec@skipgram"}
    left = store.client.create_run(store.experiment_id, tags=tags)
    (done,) = reconcile(project.root)
    assert (done.run_id, done.created) == (left.info.run_id, False)
    assert read_provenance(store, done.run_id)["validation"] == {"news": {"success": True, "failed": []}}


def test_reconcile_adds_only_what_is_missing(project: ScoredProject) -> None:
    fingerprint = project.train("skipgram", 1)
    track(project, range(100, 101), fingerprint)
    (done,) = reconcile(project.root)
    assert done.created is False
    store = open_store(project.root)
    assert steps_held(store, done.run_id)["train/loss"] == {100, 200}
    assert curve(store, done.run_id, "train/loss") == [(100, 0.01), (200, 2.25)]


def test_scores_of_other_vectors_are_not_logged(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    results = (project.root / "data" / "tasks" / "words" / "results.json").read_text()
    project.train("skipgram", 2)
    (project.root / "data" / "tasks" / "words" / "results.json").write_text(results)
    (done,) = reconcile(project.root)
    store = open_store(project.root)
    assert "wordsim353/spearman" not in store.client.get_run(done.run_id).data.metrics


def test_where_the_store_is(project: ScoredProject, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking_uri() == f"sqlite:///{project.root}/.firth/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(FirthError, match=r"MLflow at http://127.0.0.1:9 cannot be used"):
        open_store()


FRESH = """
import sys
from pathlib import Path
from firth.tracking.runs import training_run
name = sys.argv[1]
with training_run("word2vec@" + name, name * 8, {"dim": 4}, {}, Path(".firth/runs") / name) as run:
    for step in range(1, 1501):
        run.log({"train/loss": 1 / step, "train/learning_rate": 0.1}, step)
"""


@pytest.mark.slow
@pytest.mark.system
def test_two_trainings_start_on_a_fresh_store_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ScoredProject(tmp_path / "project")
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    names = ("skipgram", "cbow", "third")
    children = [
        subprocess.Popen([sys.executable, "-c", FRESH, name], stderr=subprocess.PIPE, text=True) for name in names
    ]
    errors = [child.communicate(timeout=180)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], errors
    assert not [line for text in errors for line in text.splitlines() if line.startswith("warning: ")]
    assert sum(text.count("Creating the MLflow store (once) …") for text in errors) == 1
    store = open_store(made.root)
    assert len(store.client.search_experiments(filter_string="name = 'firth'")) == 1
    for name in names:
        run = find_run(store, name * 8)
        assert run is not None
        assert [step for step, _ in curve(store, run.info.run_id, "train/loss")] == list(range(1, 1501))
