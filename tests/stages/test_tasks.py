"""The stage `tasks@T`, run as dvc.yaml runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stage_process import run_stage
from usage_examples import bert, draw, examples_of, vectors

from firth.bert.folder import save
from firth.config.load import preset_text, with_overrides
from firth.word2vec.matrix_files import save_matrices

ROOT = Path(__file__).resolve().parents[2]


def write_params(folder: Path, *overrides: str) -> None:
    text, _ = with_overrides(preset_text("demo"), overrides)
    (folder / "params.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with parameters, the examples of one task and three small trained models."""
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
    assert run_stage(project, "tasks", "snippets").stdout == done.stdout
    assert {path: path.read_bytes() for path in written} == written

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
