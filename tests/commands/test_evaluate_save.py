"""`firth evaluate --save`: the fine-tuned model behind a score is kept, and `firth predict` answers with it."""

from __future__ import annotations

import csv
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from evaluate_calls import small_bilstms
from one_thread import one_thread  # noqa: F401
from typer.testing import CliRunner, Result
from usage_examples import bert, draw, vectors

from firth.bert.folder import save
from firth.cli import app
from firth.errors import FirthError
from firth.tasks.kept import keeping
from firth.word2vec.matrix_files import save_matrices


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small_bilstms(monkeypatch)
    save(tmp_path / "own", bert())
    found = vectors()
    save_matrices(tmp_path / "words", found.vocabulary, {"input": found.matrix})
    for name, count, seed in (("train", 48, 1), ("dev", 20, 2)):
        rows = [[f"{one['text']} ({n})", one["label"]] for n, one in enumerate(draw("text", count, seed))]
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["text", "label"], *rows])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


slow = partial(pytest.param, marks=pytest.mark.slow)
FILES = ["--task", "text", "--train", "train.csv", "--dev", "dev.csv"]


def test_what_is_saved_predicts_what_was_scored(folder: Path) -> None:
    asked = ["evaluate", "own", *FILES, "--mode", "finetuned", "--seeds", "1,2", "--json", "r.json", "--save", "kept"]
    said = run(*asked)
    assert said.exit_code == 0, said.output
    (row,) = json.loads((folder / "r.json").read_text())["systems"]
    seed = row["details"]["seed"]
    assert (
        f"kept: accuracy {row['score']:.3f}, seed {seed}; a BERT that was fine-tuned under a linear head: BertModel of "
        "transformers, and a head of ours\n"
    ) in said.stdout
    assert share_right(folder) == pytest.approx(row["score"], abs=1e-6)


@pytest.mark.parametrize(
    ("model", "mode", "head", "words"),
    [
        ("words", "finetuned", "linear", "word vectors that were tuned with a linear head\n"),
        slow("words", "finetuned", "bilstm", "word vectors that were tuned under a BiLSTM\n"),
        slow("words", "frozen", "bilstm", "a BiLSTM on word vectors\n"),
        ("own", "frozen", "bilstm", "a BiLSTM on a frozen BERT: BertModel of transformers, and a head of ours\n"),
        slow(
            "own", "frozen", "linear", "a linear head on a frozen BERT: BertModel of transformers, and a head of ours\n"
        ),
    ],
)
def test_every_way_to_use_an_encoder_is_kept(folder: Path, model: str, mode: str, head: str, words: str) -> None:
    asked = ["evaluate", model, *FILES, "--mode", mode, "--head", head, "--seeds", "1,2", "--json", "r.json"]
    said = run(*asked, "--save", "kept")
    assert said.exit_code == 0, said.output
    (row,) = json.loads((folder / "r.json").read_text())["systems"]
    assert f"kept: accuracy {row['score']:.3f}, seed {row['details']['seed']}; {words}" in said.stdout
    assert share_right(folder) == pytest.approx(row["score"], abs=1e-6)


def test_with_both_heads_a_bert_is_fine_tuned_in_one_way_only(folder: Path) -> None:
    asked = ["--mode", "finetuned", "--head", "linear,bilstm", "--seeds", "1,2", "--ensemble", "--save", "kept"]
    said = run("evaluate", "own", *FILES, *asked)
    assert "a BERT that was fine-tuned under a linear head" in said.stdout


def share_right(folder: Path) -> float:
    """Of the dev side, by the kept model's own answers."""
    done = run("predict", "--model", "kept", "--input", "dev.csv", "--output", "out.csv")
    assert done.stdout == "out.csv: 20 rows\n"
    with (folder / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return sum(one["label"] == one["prediction"] for one in rows) / len(rows)


@pytest.mark.parametrize(
    ("model", "mode", "head"),
    [
        ("own", "finetuned", "linear"),
        ("words", "finetuned", "linear"),
        slow("words", "finetuned", "bilstm"),
        slow("words", "frozen", "bilstm"),
        slow("own", "frozen", "bilstm"),
        slow("own", "frozen", "linear"),
    ],
)
def test_the_last_training_is_not_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, model: str, mode: str, head: str
) -> None:
    asked = ["evaluate", model, *FILES, "--mode", mode, "--head", head, "--seeds", "1"]
    run(*asked, "--save", "kept")
    run(*asked, "--save", "again")  # found from before: there is no model but one that is made again
    assert (folder / "again" / "task.json").read_bytes() == (folder / "kept" / "task.json").read_bytes()

    def made(*_: Any, **__: Any) -> None:
        raise AssertionError("trained twice")

    monkeypatch.setattr(keeping, "finetune", made)
    monkeypatch.setattr(keeping, "trained", made)
    shutil.rmtree(folder / "cache", ignore_errors=True)  # a linear head on frozen features leaves none
    run(*asked, "--save", "third")
    assert (folder / "third" / "task.json").read_bytes() == (folder / "kept" / "task.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["own", "--mode", "frozen,finetuned"],
            "--save keeps one model, and 2 are trained: say --mode frozen --head linear (a linear head on a frozen "
            "BERT), or --mode finetuned --head linear (a BERT that was fine-tuned under a linear head)",
        ),
        (["own", "--mode", "frozen,finetuned", "--head", "bilstm,linear"], "--save keeps one model, and 3 are trained"),
        (["words", "--mode", "frozen,finetuned", "--head", "bilstm,linear"], "keeps one model, and 4 are trained"),
        (["own", "words", "--mode", "finetuned"], "--save keeps one model, and 2 are named"),
        (["own", "--mode", "finetuned", "--head", "bilstm"], "own: a BERT is fine-tuned under a linear head"),
        (["own", "--mode", "finetuned", "--save", "own"], "own: is there already and is no kept model"),
    ],
)
def test_what_cannot_be_kept_is_said_before_anything_is_trained(
    folder: Path, arguments: list[str], message: str
) -> None:
    before = (folder / "own" / "model.safetensors").read_bytes()
    with pytest.raises(FirthError) as error:
        run("evaluate", *FILES, "--save", "kept", *arguments)
    assert message in str(error.value)
    assert not (folder / "kept").exists()
    assert (folder / "own" / "model.safetensors").read_bytes() == before
