"""The stage as DVC runs it, on a corpus as `prepare` writes it."""

import hashlib
import os
import subprocess
import sys

import pytest
from damage import tear
from prepared_corpus import write_corpus

from firth.canonical import read_json
from firth.config.load import preset_text, with_overrides
from firth.errors import ConfigError, FirthError, IntegrityError
from firth.stages.wordpiece import main
from firth.wordpiece.tokenizer import Tokenizer

TRAIN = [["The old man and the sea.", "Old boats sail the sea."], ["The newest, widest, lowest boats."]]
HELDOUT = [["Zebras!"]]


def write_params(root, **settings):
    overrides = [f"wordpiece.{key}={value}" for key, value in {"vocabulary": 70, "alphabet": 30, **settings}.items()]
    text, _ = with_overrides(preset_text("demo"), overrides)
    (root / "params.yaml").write_text(text)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    write_corpus(tmp_path, TRAIN, HELDOUT)
    write_params(tmp_path)
    return tmp_path


def test_it_learns_from_the_training_side_alone(project, capsys):
    main([])
    folder = project / "data/tokenizer"
    tokenizer, manifest = Tokenizer.load(folder), read_json(folder / "manifest.json")
    assert tokenizer.vocabulary[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert not {"z", "##z", "!"} & set(tokenizer.vocabulary)
    assert {"the", "old", "sea"} <= set(tokenizer.vocabulary)
    assert manifest["tokenizer"]["sha256"] == tokenizer.sha256
    assert manifest["words"]["total"] == 21
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt",
    ]  # fmt: skip
    assert "tokens per word" in capsys.readouterr().out


def test_it_writes_the_same_bytes_under_another_hash_seed(project):
    found = []
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "firth.stages.wordpiece"],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        found.append({path.name: path.read_bytes() for path in (project / "data/tokenizer").iterdir()})
    assert found[0] == found[1]


def test_a_base_lies_in_the_clone_too(project, monkeypatch, tmp_path_factory, capsys):
    main([])
    own = (project / "data/tokenizer").rename(project / "published")
    pin = hashlib.sha256((own / "vocab.txt").read_bytes()).hexdigest()
    (project / ".firth").mkdir()
    worktree = tmp_path_factory.mktemp("worktree")
    write_corpus(worktree, TRAIN, HELDOUT)
    write_params(worktree, base="published", base_sha256=f"'{pin}'", extend=3, min_count=1)
    monkeypatch.chdir(worktree)
    monkeypatch.setenv("FIRTH_STATE", str(project / ".firth"))
    main([])
    extended = Tokenizer.load(worktree / "data/tokenizer").vocabulary
    assert extended[: len(extended) - 3] == Tokenizer.load(own).vocabulary
    assert "published and 3 learned pieces" in capsys.readouterr().out
    write_params(worktree, base="published", base_sha256=f"'{'0' * 64}'")
    with pytest.raises(IntegrityError, match=pin):
        main([])
    write_params(worktree, base="nowhere", base_sha256=f"'{pin}'")
    with pytest.raises(FirthError, match="nowhere: no such folder"):
        main([])


def test_earlier_output_stays_where_a_run_fails(project):
    main([])
    before = (project / "data/tokenizer/vocab.txt").read_bytes()
    shard = next((project / "data/corpus/train").iterdir())
    tear(shard)
    with pytest.raises(IntegrityError, match=shard.name):
        main([])
    assert (project / "data/tokenizer/vocab.txt").read_bytes() == before
    assert not list((project / "data").glob(".part*"))


def test_it_takes_no_arguments(project):
    with pytest.raises(ConfigError, match="no arguments"):
        main(["bert"])
