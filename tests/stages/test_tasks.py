"""The stage `tasks@T`, run as dvc.yaml runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from scored_project import mlflow_template
from stage_process import run_stage
from usage_examples import bert, draw, examples_of, vectors

from firth.bert.folder import save
from firth.canonical import write_json
from firth.config.load import preset_text, with_overrides
from firth.tracking.evaluations import recorded
from firth.tracking.store import open_store
from firth.word2vec.matrix_files import save_matrices

__all__ = ["mlflow_template"]
ROOT = Path(__file__).resolve().parents[2]


def write_params(folder: Path, *overrides: str) -> None:
    text, _ = with_overrides(preset_text("demo"), overrides)
    (folder / "params.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with parameters, the examples of one task, three small trained models and a tracker of its own."""
    shutil.copytree(mlflow_template, tmp_path / "mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}")
    write_params(tmp_path, "evaluation.encoders=[skipgram, cbow, random, bert]", "evaluation.threads=1")
    data = tmp_path / "data"
    train, dev = draw("text", 80, 1), draw("text", 40, 2)
    examples_of(data / "examples" / "snippets", "text", train, dev, task="snippets")
    for seed, name in enumerate(("skipgram", "cbow")):
        trained = vectors(seed)
        save_matrices(data / "vectors" / name, trained.vocabulary, {"input": trained.matrix})
    (data / "models").mkdir()
    save(data / "models" / "bert", bert(seed=7))
    return tmp_path


@pytest.mark.slow
def test_all_encoders_are_scored_the_same_every_time(project: Path) -> None:
    stale = project / "data" / "tasks" / "snippets" / "predictions-reference.jsonl"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}\n")
    done = run_stage(project, "tasks", "snippets")
    assert done.returncode == 0, done.stderr
    outputs = [project / "data" / "tasks" / "snippets", project / "data" / "metrics"]
    written = {path: path.read_bytes() for folder in outputs for path in folder.iterdir()}
    assert sorted(path.name for path in written) == [
        "predictions-bert.jsonl", "predictions-cbow.jsonl", "predictions-random.jsonl", "predictions-skipgram.jsonl",
        "results.json", "tasks-snippets.json",
    ]  # fmt: skip
    runs = recorded(project)
    assert [(run.task, run.system) for run in runs] == [
        ("snippets", system) for system in ("skipgram", "cbow", "random", "bert")
    ]
    assert run_stage(project, "tasks", "snippets").stdout == done.stdout
    assert {path: path.read_bytes() for path in written} == written
    assert recorded(project) == runs

    results = json.loads((outputs[0] / "results.json").read_text())
    assert [system["system"] for system in results["systems"]] == ["skipgram", "cbow", "random", "bert"]
    assert set(results["weights"]) == {"skipgram", "cbow", "bert"}
    assert all(len(digest) == 64 for digest in results["weights"].values())
    metrics = json.loads((outputs[1] / "tasks-snippets.json").read_text())
    assert metrics == {system["system"]: {"snippets/accuracy": system["score"]} for system in results["systems"]}
    lines = done.stdout.splitlines()
    assert lines[0] == "snippets, accuracy over 40 examples:"
    assert len(lines) == 7
    assert lines[-1] == "Protocol sane: one setting, the median of the seeds."
    for system, line in zip(results["systems"], lines[2:-1], strict=True):
        assert line.endswith("(median of 3 seeds)")
        assert f"{system['score']:.3f}  [{system['low']:.3f}, {system['high']:.3f}]" in line
        assert ("≈ majority" in line) == system["tie_with_majority"]


@pytest.mark.slow
def test_a_system_is_tracked_with_its_seeds_and_its_training(project: Path) -> None:
    write_params(
        project, "evaluation.encoders=[skipgram]", "evaluation.modes=[finetuned]", "evaluation.heads=[bilstm]",
        "evaluation.bilstm={hidden: 4, layers: 1, epochs: 1}", "evaluation.seeds=[3, 5]", "evaluation.ensemble=true",
    )  # fmt: skip
    training = {"stage": "word2vec@skipgram", "fingerprint": "f" * 64, "params": {}}
    write_json(project / "data" / "vectors" / "skipgram" / "training.json", training)
    done = run_stage(project, "tasks", "snippets")
    assert done.returncode == 0, done.stderr
    client = open_store(project).client
    alone, together = (client.get_run(run.run_id) for run in recorded(project))
    assert [alone.info.run_name, together.info.run_name] == [
        "snippets: skipgram-finetuned-bilstm", "snippets: skipgram-finetuned-bilstm-ensemble",
    ]  # fmt: skip
    (system, _) = json.loads((project / "data" / "tasks" / "snippets" / "results.json").read_text())["systems"]
    seeds = client.get_metric_history(alone.info.run_id, "seed_score")
    assert sorted((point.step, point.value) for point in seeds) == list(zip([3, 5], system["seeds"], strict=True))
    assert alone.data.tags["firth.training.fingerprint"] == "f" * 64
    measures = ("accuracy", "f1", "matthews")
    assert {name: alone.data.metrics[f"snippets/{name}"] for name in measures} == {
        name: system["details"][name] for name in measures
    }
    assert together.data.params["ensemble_of"] == "[3, 5]"


@pytest.mark.slow
def test_a_tracker_that_is_away_takes_nothing_from_the_results(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_params(project, "evaluation.encoders=[skipgram]")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    done = run_stage(project, "tasks", "snippets")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith("warning: MLflow did not take all runs of tasks@snippets (MLflow at")
    assert (project / "data" / "tasks" / "snippets" / "results.json").is_file()
    assert (project / "data" / "metrics" / "tasks-snippets.json").is_file()


def test_what_is_missing_is_one_clear_error(project: Path) -> None:
    done = run_stage(project, "tasks", "snippet")
    assert done.stderr.splitlines() == [
        "error: no task 'snippet' in params.yaml; there are: snippets, boolq, disflqa, ner"
    ]
    (project / "data" / "vectors" / "cbow" / "vectors.safetensors").unlink()
    done = run_stage(project, "tasks", "snippets")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: data/vectors/cbow: no trained model; run the stage word2vec@cbow first"]


@pytest.mark.slow
@pytest.mark.registry
def test_the_published_encoder_beats_an_untrained_one_on_real_snippets(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from firth.config.load import load_preset
    from firth.tasks.examples.build import build

    write_params(project, "evaluation.encoders=[random, reference]")
    task = load_preset("demo").tasks["snippets"].model_copy(update={"train_examples": 300, "dev_examples": 200})
    monkeypatch.setenv("FIRTH_STATE", str(ROOT / ".firth"))
    build("snippets", task, project / "data" / "examples" / "snippets", project)
    done = run_stage(project, "tasks", "snippets")
    assert done.returncode == 0, done.stderr
    systems = json.loads((project / "data" / "tasks" / "snippets" / "results.json").read_text())["systems"]
    untrained, reference = systems
    assert reference["label"] == "MiniLM-L6 (all-MiniLM-L6-v2)"
    assert reference["score"] > 0.63
    assert not reference["tie_with_majority"]
    assert reference["low"] > untrained["score"]
