"""Pairs with a number and choices among endings through `firth evaluate`, `firth task add` and the stage's files."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner
from usage_examples import bert, draw, vectors

from firth.bert.folder import save
from firth.cli import app
from firth.config import load_params
from firth.config.load import preset_text
from firth.errors import FirthError
from firth.word2vec.matrix_files import save_matrices


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two models in folders and files of pairs and of choices."""
    trained = vectors()
    save_matrices(tmp_path / "words", trained.vocabulary, {"input": trained.matrix})
    save(tmp_path / "own", bert())
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    for name, count, seed in (("train", 120, 1), ("dev", 60, 2)):
        with (tmp_path / f"{name}.tsv").open("w") as stream:
            stream.write("genre\tsentence1\tsentence2\tscore\n")
            for one in draw("number", count, seed):
                stream.write(f"main\t{one['first']}\t{one['second']}\t{one['score']:.3f}\n")
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["", "video-id", "sent1", "sent2", *(f"ending{n}" for n in range(4)), "label"])
            for number, one in enumerate(draw("choice", count, seed)):
                endings = [ending.removeprefix("it ") for ending in one["endings"]]
                writer.writerow([number, "v", one["context"], "it", *endings, one["label"]])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return tmp_path


def run(*arguments: str) -> str:
    """What is printed; errors are raised."""
    result = CliRunner().invoke(app, [*arguments], catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


PAIRS = ("--task", "number", "--train", "train.tsv", "--first-field", "sentence1", "--second-field", "sentence2")
CHOICES = ("--task", "choice", "--train", "train.csv", "--context-field", "sent1", "--start-field", "sent2")


@pytest.mark.parametrize(
    ("kind", "files", "metric", "what"),
    [
        ("number", (*PAIRS, "--dev", "dev.tsv", "--score-range", "0,5"), "pearson_spearman", "words that both have"),
        ("choice", (*CHOICES, "--dev", "dev.csv"), "accuracy", "ending"),
    ],
)
def test_two_models_side_by_side(folder: Path, kind: str, files: tuple[str, ...], metric: str, what: str) -> None:
    said = run("evaluate", "words", "own", *files, "--seeds", "1,2", "--json", "r.json")
    results = json.loads((folder / "r.json").read_text())
    assert (results["kind"], results["metric"]) == (kind, metric)
    assert [system["system"] for system in results["systems"]] == ["words", "own"]
    best = max(system["score"] for system in results["systems"])
    assert best > 0.85
    assert f"{best:.3f}" in said
    assert " training examples, 60 to score on" in said
    assert what in said


def test_a_task_is_added_and_shown(folder: Path) -> None:
    said = run("task", "add", "stsb", *PAIRS, "--score-range", "0,5", "--metric", "spearman")
    assert ": 0 to 5, mean 2." in said
    assert "It was" in said
    said = run("task", "add", "swag", *CHOICES, "--ending-fields", "ending0, ending1,ending2,ending3")
    assert "ending0 " in said
    tasks = load_params(folder / "params.yaml").tasks
    assert (tasks["stsb"].kind, tasks["stsb"].score_range, tasks["stsb"].metric) == ("number", (0.0, 5.0), "spearman")
    assert (tasks["swag"].kind, tasks["swag"].start_field) == ("choice", "sent2")
    assert tasks["swag"].ending_fields == [f"ending{n}" for n in range(4)]
    assert "number" in run("task", "list")


@pytest.mark.parametrize("command", [("task", "add", "own-task"), ("evaluate", "words")])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((*PAIRS, "--score-range", "0-5"), "--score-range 0-5: write the least and the greatest number with a comma"),
        ((*PAIRS, "--score-range", "1,2,3"), "--score-range 1,2,3: write the least and the greatest number"),
        ((*PAIRS, "--score-range", "5,0"), "5 is not below 0"),
        ((*PAIRS, "--score-range", "0,4"), r"train.tsv, line \d+: field 'score' holds 5.000, outside of 0 to 4"),
        ((*PAIRS, "--score-field", "genre"), "train.tsv, line 2: field 'genre' holds 'main', not a number"),
        ((*CHOICES, "--ending-fields", "ending0"), "one field, with a list of them, is for jsonl, not for csv"),
        ((*CHOICES, "--ending-fields", "ending0,end1"), "no field 'end1'"),
        ((*CHOICES, "--label-field", "sent2"), "field 'sent2' holds 'it'; the 4 endings have the numbers 0 to 3"),
    ],
)
def test_what_cannot_be_is_said(folder: Path, command: tuple[str, ...], options: tuple[str, ...], said: str) -> None:
    before = (folder / "params.yaml").read_bytes()
    with pytest.raises(FirthError, match=said):
        run(*command, *options)
    assert (folder / "params.yaml").read_bytes() == before


def test_options_of_other_kinds_are_named(folder: Path) -> None:
    with pytest.raises(FirthError, match="--score-range is for number tasks, not for choice"):
        run("task", "add", "a", *CHOICES, "--score-range", "0,5")
    with pytest.raises(FirthError, match="--label-field is for text, pair and choice tasks, not for number"):
        run("task", "add", "a", *PAIRS, "--label-field", "x")
    with pytest.raises(FirthError, match="--start-field does not go with this kind of task"):
        run("evaluate", "words", *PAIRS, "--start-field", "x")


@pytest.mark.slow
@pytest.mark.skipif("FIRTH_DATA" not in os.environ, reason="FIRTH_DATA is not set: no STS-B")
def test_stsb_by_vectors_that_know_hardly_a_word(folder: Path) -> None:
    data = Path(os.environ["FIRTH_DATA"]) / "glue" / "STS-B"
    files = ["--train", str(data / "train.tsv.xz"), "--dev", str(data / "dev.tsv.xz"), "--format", "tsv"]
    fields = ["--first-field", "sentence1", "--second-field", "sentence2", "--score-range", "0,5"]
    run("evaluate", "words", "--task", "number", *files, *fields, "--seeds", "1", "--json", "r.json")
    results = json.loads((folder / "r.json").read_text())
    assert 0.5 < results["majority"]["score"] < 0.8, "shared words say much of how alike two sentences are"
    assert results["systems"][0]["score"] < results["majority"]["score"]
