"""The stage as DVC runs it: everything that the contract names, the same bytes in another place."""

import json
from pathlib import Path

import numpy as np
import pytest
from damage import tear
from killing import killed_stage_ends_the_same
from recorder import Recorder, written

from firth.config.load import preset_text, with_overrides
from firth.config.text import Words
from firth.errors import ConfigError, IntegrityError
from firth.stages import word2vec
from firth.tokens.encode import build_store
from firth.vectors.vectors import Vectors

SMALL = [
    "word2vec.dim=16", "word2vec.block_words=1000", "word2vec.checkpoint_seconds=0.0001",
    "word2vec.skipgram.epochs=2", "word2vec.cbow.epochs=2",
]  # fmt: skip


def documents(count, seed):
    rng = np.random.default_rng(seed)
    return [[" ".join(f"w{word}" for word in rng.integers(0, 30, 12).tolist())] for _ in range(count)]


def write_project(root: Path) -> Path:
    build_store(documents(300, 0), documents(20, 1), Words(min_count=1, shuffle=False), root / "data/tokens/words")
    text, _ = with_overrides(preset_text("demo"), SMALL)
    (root / "params.yaml").write_text(text)
    (root / "dvc.yaml").write_text("stages: {}\n")
    return root


@pytest.fixture
def tracker(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(word2vec, "training_run", recorder)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return recorder


def outputs(root):
    return written(root, "vectors", "metrics")


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_it_writes_what_the_contract_names(tmp_path, monkeypatch, tracker, model):
    monkeypatch.chdir(write_project(tmp_path))
    word2vec.main([model])
    folder = tmp_path / "data/vectors" / model
    assert sorted(path.name for path in folder.iterdir()) == [
        "history.json",
        "training.json",
        "vectors.safetensors",
        "vocabulary.tsv",
    ]
    assert Vectors.load(folder, "concat").matrix.shape == (30, 32)
    training = json.loads((folder / "training.json").read_text())
    assert training["stage"] == f"word2vec@{model}"
    assert training["words"] == 3600
    assert training["params"]["epochs"] == 2
    assert "checkpoint_seconds" not in training["params"]
    metrics = json.loads((tmp_path / f"data/metrics/word2vec-{model}.json").read_text())
    assert set(metrics) == {"train/loss", "heldout/loss"}
    history = json.loads((folder / "history.json").read_text())
    assert history[-1]["step"] == 7200
    assert history[-1]["heldout_loss"] == metrics["heldout/loss"]
    [(stage, fingerprint, params, inputs, run_folder)] = tracker.opened
    assert (stage, fingerprint, params) == (training["stage"], training["fingerprint"], training["params"])
    assert list(inputs) == ["data/tokens/words"]
    assert run_folder == tmp_path / ".firth/runs" / f"word2vec-{model}" / fingerprint
    assert [step for step, _ in tracker.points] == [row["step"] for row in history]
    assert all("train/words_per_second" in metrics for _, metrics in tracker.points)


def test_another_folder_gives_the_same_bytes(tmp_path, monkeypatch, tracker):
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(write_project(tmp_path / name))
        word2vec.main(["cbow"])
    assert outputs(tmp_path / "here") == outputs(tmp_path / "elsewhere")
    assert len(outputs(tmp_path / "here")) == 5


@pytest.mark.parametrize("argv", [[], ["glove"], ["cbow", "skipgram"]])
def test_it_takes_one_model(argv):
    with pytest.raises(ConfigError, match="skipgram or cbow"):
        word2vec.main(argv)


def test_an_altered_store_is_refused_and_earlier_vectors_stay(tmp_path, monkeypatch, tracker):
    monkeypatch.chdir(write_project(tmp_path))
    word2vec.main(["cbow"])
    before = outputs(tmp_path)
    stream = tmp_path / "data/tokens/words/train.i32"
    tear(stream)
    with pytest.raises(IntegrityError, match=r"train\.i32"):
        word2vec.main(["cbow"])
    assert outputs(tmp_path) == before


@pytest.mark.system
def test_the_stage_killed_and_started_again_ends_with_the_same_bytes(tmp_path):
    """TERM and KILL, one after the other, in the same training."""

    def write_long_project(root):
        text = (write_project(root) / "params.yaml").read_text()
        (root / "params.yaml").write_text(with_overrides(text, ["word2vec.skipgram.epochs=200"])[0])

    killed_stage_ends_the_same(tmp_path, ("word2vec", "skipgram"), write_long_project, outputs)
