"""The stage as DVC runs it: everything that the contract names, the same bytes in another place."""

import json
from pathlib import Path

import pytest
from damage import tear
from fables import fable_store
from killing import killed_stage_ends_the_same
from recorder import Recorder, written

from firth.bert import folder as folders
from firth.config.load import preset_text, with_overrides
from firth.encode.load import folder_digest
from firth.errors import ConfigError, IntegrityError
from firth.stages import bert

SMALL = [
    "bert.size=tiny", "bert.positions=64", "bert.length=48", "bert.batch=8", "bert.micro_batch=0", "bert.steps=12",
    "bert.optimizer.warmup_steps=2", "bert.heldout.every=5", "bert.heldout.instances=16", "bert.threads=1",
    "bert.checkpoint_seconds=0.0001",
]  # fmt: skip


def write_project(root: Path, *changes: str) -> Path:
    fable_store(root / "data/tokens/pieces")
    (root / "params.yaml").write_text(with_overrides(preset_text("demo"), [*SMALL, *changes])[0])
    (root / "dvc.yaml").write_text("stages: {}\n")
    return root


@pytest.fixture
def tracker(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(bert, "training_run", recorder)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return recorder


def outputs(root):
    return written(root, "models", "metrics")


def test_it_writes_what_the_contract_names(tmp_path, monkeypatch, tracker):
    monkeypatch.chdir(write_project(tmp_path))
    bert.main([])
    folder = tmp_path / "data/models/bert"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "history.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "training.json",
        "vocab.txt",
    ]  # fmt: skip
    model = folders.load(folder).model
    training = json.loads((folder / "training.json").read_text())
    assert set(training) == {
        "stage", "fingerprint", "params", "inputs", "architecture", "parameters", "tokens", "steps", "firth_version",
    }  # fmt: skip
    assert training["stage"] == "bert"
    assert training["steps"] == 12
    assert training["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert training["architecture"]["layers"] == 2
    assert not {"checkpoint_seconds", "init"} & set(training["params"])
    history = json.loads((folder / "history.json").read_text())
    assert [row["step"] for row in history] == [5, 10, 12]
    assert history[-1]["tokens"] == training["tokens"]
    metrics = json.loads((tmp_path / "data/metrics/bert.json").read_text())
    assert set(metrics) == {
        "train/mlm_loss", "train/nsp_loss", "heldout/mlm_loss", "heldout/mlm_accuracy", "heldout/nsp_loss",
        "heldout/nsp_accuracy", "heldout/unigram_loss", "heldout/mlm_gain",
    }  # fmt: skip
    assert history[-1]["heldout"]["mlm_loss"] == metrics["heldout/mlm_loss"]
    [(stage, fingerprint, params, inputs, run_folder)] = tracker.opened
    assert (stage, fingerprint, params) == (training["stage"], training["fingerprint"], training["params"])
    assert inputs == training["inputs"]
    assert list(inputs) == ["data/tokens/pieces"]
    assert run_folder == tmp_path / ".firth/runs/bert" / fingerprint
    assert [step for step, _ in tracker.points] == [row["step"] for row in history]
    assert all({"train/tokens_per_second", "train/learning_rate"} <= set(metrics) for _, metrics in tracker.points)


def test_another_folder_gives_the_same_bytes(tmp_path, monkeypatch, tracker):
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(write_project(tmp_path / name))
        bert.main([])
    assert outputs(tmp_path / "here") == outputs(tmp_path / "elsewhere")
    assert len(outputs(tmp_path / "here")) == 8


def test_it_takes_no_arguments():
    with pytest.raises(ConfigError, match="no arguments"):
        bert.main(["base"])


def test_an_altered_store_is_refused_and_an_earlier_model_stays(tmp_path, monkeypatch, tracker):
    monkeypatch.chdir(write_project(tmp_path))
    bert.main([])
    before = outputs(tmp_path)
    stream = tmp_path / "data/tokens/pieces/train/shard-00000.ids"
    tear(stream)
    with pytest.raises(IntegrityError, match=r"shard-00000\.ids"):
        bert.main([])
    assert outputs(tmp_path) == before


def test_it_goes_on_from_a_model_whose_weights_are_pinned(tmp_path, monkeypatch, tracker):
    monkeypatch.chdir(write_project(tmp_path))
    bert.main([])
    (tmp_path / "data/models/bert").rename(tmp_path / "first")
    digest = folder_digest(tmp_path / "first")
    changes = ["bert.init=first", "bert.steps=4", "bert.optimizer.warmup_steps=0"]
    write_project(tmp_path, *changes, f"bert.init_sha256={'a' * 64}")
    with pytest.raises(IntegrityError, match=rf"first: .*init_sha256.*{digest}"):
        bert.main([])
    write_project(tmp_path, *changes, f"bert.init_sha256={digest}")
    bert.main([])
    training = json.loads((tmp_path / "data/models/bert/training.json").read_text())
    assert training["inputs"]["bert.init"] == digest
    assert tracker.opened[0][1] != tracker.opened[1][1]


@pytest.mark.system
def test_the_stage_killed_and_started_again_ends_with_the_same_bytes(tmp_path):
    """TERM and KILL, one after the other, in the same training."""
    killed_stage_ends_the_same(tmp_path, ("bert",), lambda root: write_project(root, "bert.steps=60"), outputs)
