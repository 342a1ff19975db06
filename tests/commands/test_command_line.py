"""The `firth` command as a person meets it: help at once, one line for an error, files and vectors handled."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from firth.cli import app, main
from firth.config import load_params
from firth.config.load import preset_text
from firth.errors import ConfigError, DataError, FirthError
from firth.tokens.vocabulary import Vocabulary
from firth.vectors.vectors import Vectors
from firth.word2vec.matrix_files import save_matrices

WORDS = ("king", "queen", "man", "woman", "boat")
MATRIX = np.array([[3, 0, 1], [3, 1, 0], [1, 0, 1], [1, 1, 0], [0, -1, -1]], dtype=np.float32)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with parameters, committed, and one trained model."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a project"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    vocabulary = Vocabulary(WORDS, np.arange(9, 4, -1))
    save_matrices(tmp_path / "data" / "vectors" / "skipgram", vocabulary, {"input": MATRIX, "output": -MATRIX})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def firth(*arguments: str) -> str:
    """What the command prints; its errors are raised."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", [[], ["run"], ["configure"], ["corpus", "add"], ["vectors", "export"], ["lineage"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    assert "Usage" in firth(*command, "--help")


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "mlflow", "prefect", "dvc", "pandas", "numpy", "pydantic", "ruamel.yaml")
    code = f"import sys, firth.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(["python", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_error_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["firth", "report"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "not in a Firth project" in said
    assert said.count("\n") == 1


def test_configure_says_what_changed_and_keeps_what_git_does_not_hold(project: Path) -> None:
    path = project / "params.yaml"
    assert "already is" in firth("configure", "demo")
    path.write_text(path.read_text().replace("window: 5", "window: 9"))
    with pytest.raises(FirthError, match="not committed"):
        firth("configure", "demo")
    assert load_params(path).word2vec.window == 9
    said = firth("configure", "demo", "--set", "word2vec.dim=50", "--force")
    assert "word2vec.window: 9 -> 5" in said
    assert "word2vec.dim: 100 -> 50" in said
    assert (load_params(path).word2vec.window, load_params(path).word2vec.dim) == (5, 50)
    with pytest.raises(ConfigError, match="there are: base, demo,"):
        firth("configure", "huge")


def test_local_files_become_a_pinned_corpus(project: Path) -> None:
    texts = project / "texts"
    texts.mkdir()
    for name in ("a", "b"):
        with gzip.open(texts / f"{name}.jsonl.gz", "wt") as stream:
            stream.write(json.dumps({"body": f"The {name} text of our own."}) + "\n")
    said = firth(
        "corpus", "add", "mine", "texts/*.jsonl.gz", "--licence", "in-house", "--text-field", "body", "--only"
    )  # fmt: skip
    assert "corpus mine (jsonl" in said
    written = yaml.safe_load((project / "params.yaml").read_text())["corpora"]
    assert list(written) == ["mine"]
    assert (written["mine"]["paths"], written["mine"]["text_field"]) == (["texts/*.jsonl.gz"], "body")
    assert "mine" in firth("corpus", "list")

    assert "unchanged" in firth("corpus", "pin", "mine")
    with gzip.open(texts / "c.jsonl.gz", "wt") as stream:
        stream.write(json.dumps({"body": "One more."}) + "\n")
    assert "was " in firth("corpus", "pin", "mine")
    assert (
        yaml.safe_load((project / "params.yaml").read_text())["corpora"]["mine"]["sha256"] != written["mine"]["sha256"]
    )


def test_what_cannot_be_added_leaves_the_parameters_alone(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(DataError, match=r"absent\.txt"):
        firth("corpus", "add", "mine", "absent.txt", "--licence", "x")
    (project / "odd.bin").write_text("text")
    with pytest.raises(ConfigError, match="--format"):
        firth("corpus", "add", "mine", "odd.bin", "--licence", "x")
    with pytest.raises(ConfigError, match="Not A Name"):
        firth("corpus", "add", "Not A Name", "odd.bin", "--format", "text", "--licence", "x")
    with pytest.raises(FirthError, match="not a corpus of local files"):
        firth("corpus", "pin", "news")
    assert (project / "params.yaml").read_bytes() == before


def test_vectors_answer(project: Path) -> None:
    assert firth("vectors", "neighbours", "king", "-n", "1").split()[2] == "queen"
    assert firth("vectors", "analogy", "man", "king", "woman", "-n", "1").startswith("queen\t")
    assert float(firth("vectors", "similarity", "king", "queen")) == pytest.approx(0.9, abs=1e-4)
    assert float(firth("vectors", "similarity", "king", "queen", "--which", "output")) == pytest.approx(0.9, abs=1e-4)
    with pytest.raises(FirthError, match="near spellings: queen"):
        firth("vectors", "neighbours", "queeen")
    with pytest.raises(FirthError, match="cbow is not trained yet"):
        firth("vectors", "neighbours", "king", "--vectors", "cbow")
    with pytest.raises(FirthError, match=r"neither a folder nor a model of this project \(skipgram, cbow\)"):
        firth("vectors", "neighbours", "king", "--vectors", "bert")


def test_vectors_that_are_nowhere_are_named_outside_a_project_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FirthError, match="nowhere: no such folder"):
        firth("vectors", "neighbours", "king", "--vectors", "nowhere")


@pytest.mark.parametrize("kind", ["word2vec-text", "word2vec-binary"])
def test_vectors_go_out_and_come_back(project: Path, kind: str) -> None:
    firth("vectors", "export", "--to", "out/vectors.w2v", "--format", kind)
    firth("vectors", "import", "out/vectors.w2v", "--to", "back", "--format", kind)
    back = Vectors.load(project / "back")
    assert back.vocabulary.words == WORDS
    assert np.array_equal(back.matrix, MATRIX)
    with pytest.raises(FirthError, match="not empty"):
        firth("vectors", "import", "out/vectors.w2v", "--to", "back", "--format", kind)
    assert firth("vectors", "neighbours", "king", "-n", "1", "--vectors", "back").split()[2] == "queen"
