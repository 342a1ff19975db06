"""`firth vectors train` as a person meets it: two commands to neighbours, one line for each mistake."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from firth import cli
from firth.canonical import read_json
from firth.commands import vectors_train
from firth.commands.vectors_train import in_options
from firth.config.text import Words
from firth.config.word2vec import Word2Vec
from firth.vectors.vectors import Vectors
from firth.word2vec import from_text

ERROR = "error: "


@pytest.fixture(autouse=True)
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of two topics, in a folder that is no project."""
    rng = np.random.default_rng(0)
    topics = [["king", "queen", "throne", "crown", "palace"], ["boat", "river", "harbour", "anchor", "mast"]]
    lines = [" ".join(rng.choice(topics[i % 2], 10)) for i in range(400)]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    return path


def run(*arguments: str) -> str:
    """What the command prints on both streams; its errors are raised."""
    result = CliRunner().invoke(cli.app, ["vectors", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run `firth vectors train` to its one line of error and exit code 1."""

    def running(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["firth", "vectors", "train", "--output", "vectors", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(ERROR)]
        assert ended.value.code == 1
        assert len(lines) == 1
        assert not Path("vectors").exists()
        assert not Path("vectors.unfinished").exists()
        return lines[0].removeprefix(ERROR)

    return running


def test_two_commands_from_text_to_neighbours() -> None:
    said = run("train", "--input", "text.txt", "--output", "vectors", "--epochs", "30", "--sample", "0")
    assert "10 words of 100 dimensions, skipgram, from 30 x 4k words" in said
    assert "words/s" in said
    assert "next: firth vectors neighbours " in said
    line = next(line for line in said.splitlines() if line.startswith("next:"))
    assert "throne" in line or "palace" in line or "harbour" in line or "anchor" in line
    found = run("neighbours", "king", "--vectors", "vectors", "-n", "4")
    assert {"queen", "throne", "crown", "palace"} <= set(found.split())


def test_every_option_arrives_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[from_text.Request] = []

    def train_from_text(request: from_text.Request) -> from_text.Summary:
        asked.append(request)
        return from_text.Summary(("some", "words"), 7, 10, 3, 0, 0.0, {})

    monkeypatch.setattr(from_text, "train_from_text", train_from_text)
    run(
        "train", "--input", "a", "--input", "b", "--output", "o", "c", "--model", "cbow", "--dim", "7", "--window", "8",
        "--negative", "9", "--sample", "0.01", "--min-count", "2", "--max-vocabulary", "99", "--epochs", "3",
        "--learning-rate", "0.125", "--objective", "full_softmax", "--subwords", "50", "--phrases", "2", "--cased",
        "--heldout-share", "0.25", "--backend", "torch", "--threads", "1", "--seed", "4",
    )  # fmt: skip
    [request] = asked
    assert request.inputs == (Path("a"), Path("b"), Path("c"))
    assert (request.output, request.model, request.heldout_share, request.init) == (Path("o"), "cbow", 0.25, None)
    assert request.words.model_dump(exclude={"phrases"}) == Words(
        lowercase=False, min_count=2, max_vocabulary=99, seed=4
    ).model_dump(exclude={"phrases"})
    assert request.words.phrases.passes == 2
    settings = request.settings
    assert settings.recipe("cbow").model_dump() == {"learning_rate": 0.125, "epochs": 3}
    assert settings.subwords.buckets == 50
    assert settings.model_dump(include={"dim", "window", "negatives", "sample", "objective", "backend", "threads"}) == {
        "dim": 7, "window": 8, "negatives": 9, "sample": 0.01, "objective": "full_softmax", "backend": "torch",
        "threads": 1,
    }  # fmt: skip
    assert settings.seed == 4


def test_defaults_are_the_toolkits_and_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[from_text.Request] = []

    def train_from_text(request: from_text.Request) -> from_text.Summary:
        asked.append(request)
        return from_text.Summary(("some", "words"), 100, 10, 5, 10, 0.5, {"train/loss": 2.0})

    monkeypatch.setattr(from_text, "train_from_text", train_from_text)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})
    for model, rate in (("skipgram", 0.025), ("cbow", 0.05)):
        said = run("train", "--input", "text.txt", "--output", "o", "--model", model)
        assert "3 threads" in said
        assert "--threads 1 is reproducible" in said
        settings = asked.pop().settings
        assert settings.recipe(model).model_dump() == {"learning_rate": rate, "epochs": 5}  # type: ignore[arg-type]
        assert settings.threads == 3
        assert settings.model_dump(include={"dim", "window", "negatives", "sample"}) == {
            "dim": 100, "window": 5, "negatives": 5, "sample": 0.001,
        }  # fmt: skip
    assert "reproducible" not in run("train", "--input", "text.txt", "--output", "o", "--threads", "1")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--window", "0", "greater than or equal to 1"),
        ("--window", "101", "less than or equal to 100"),
        ("--dim", "-5", "greater than or equal to 1"),
        ("--negative", "0", "greater than or equal to 1"),
        ("--learning-rate", "0", "greater than 0"),
        ("--learning-rate", "nan", "finite"),
        ("--threads", "0", "greater than or equal to 1"),
        ("--epochs", "0", "greater than or equal to 1"),
        ("--min-count", "0", "greater than or equal to 1"),
        ("--sample", "-1", "greater than or equal to 0"),
        ("--subwords", "-1", "greater than or equal to 0"),
        ("--phrases", "99", "less than or equal to"),
        ("--seed", "-1", "greater than or equal to 0"),
        ("--heldout-share", "1", "below 1"),
        ("--heldout-share", "nan", "below 1"),
        ("--backend", "triton", "cannot train"),
    ],
)
def test_a_value_that_cannot_be_is_one_line_that_names_the_option(
    fails: Callable[..., str], option: str, value: str, said: str
) -> None:
    more = ["--subwords", "100"] if option == "--backend" else []
    error = fails("--input", "text.txt", option, value, *more)
    assert error.startswith(option)
    assert value in error
    assert said in error


def test_a_kernel_that_is_too_wide_is_refused(fails: Callable[..., str]) -> None:
    assert "dim above 1024" in fails("--input", "text.txt", "--dim", "2000", "--negative", "21")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "holds no words"),
        ("one two three four\n", "lower --min-count or add text"),
        ("one one one one one one one\n", "--min-count"),
    ],
)
def test_text_that_nothing_can_be_learnt_from(text: Path, fails: Callable[..., str], written: str, said: str) -> None:
    text.write_text(written)
    assert said in fails("--input", "text.txt")


def test_files_that_are_not_there(fails: Callable[..., str], tmp_path: Path) -> None:
    assert fails("--input", "nowhere.txt") == "nowhere.txt: no such file"
    assert fails("--input", "text.txt", "--init", "nowhere").startswith("nowhere/")


def test_a_diverging_training_says_which_option(fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    from firth.word2vec.cpu.engine import NumbaEngine

    inner = NumbaEngine.train

    def poisoned(self: NumbaEngine, *arguments: object) -> object:
        self.input[:] = np.nan
        return inner(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(NumbaEngine, "train", poisoned)
    assert "lower the learning rate" in fails("--input", "text.txt", "--threads", "1")


def test_going_on_takes_the_dimensions_of_the_old_vectors(text: Path, fails: Callable[..., str]) -> None:
    run("train", "--input", "text.txt", "--output", "old", "--dim", "24", "--threads", "1")
    with gzip.open("more.txt.gz", "wt") as stream:
        stream.write("king emperor queen\n" * 100)
    error = fails("--input", "more.txt.gz", "--init", "old", "--dim", "50")
    assert error == "--dim = 50: the vectors in old have 24 dimensions"
    said = run("train", "--input", "more.txt.gz", "--output", "vectors", "--init", "old", "--threads", "1")
    assert "2 words go on from their vectors, 1 are new, 8 are not in this text" in said
    assert "11 words of 24 dimensions" in said
    np.testing.assert_array_equal(Vectors.load(Path("old"))["boat"], Vectors.load(Path("vectors"))["boat"])


def test_going_on_takes_the_n_grams_of_the_old_vectors(fails: Callable[..., str]) -> None:
    small = ["--dim", "8", "--threads", "1", "--epochs", "1"]
    run("train", "--input", "text.txt", "--output", "old", "--subwords", "300", *small)
    error = fails("--input", "text.txt", "--init", "old", "--subwords", "0")
    assert error == "--subwords = 0: the vectors in old were trained with 300"
    run("train", "--input", "text.txt", "--output", "vectors", "--init", "old", *small)
    assert read_json(Path("vectors/training.json"))["params"]["subwords"]["buckets"] == 300


def test_an_output_that_is_there_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("vectors").mkdir()
    Path("vectors/mine").write_text("kept")
    monkeypatch.setattr("sys.argv", ["firth", "vectors", "train", "--input", "text.txt", "--output", "vectors"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "vectors: already there and not an empty folder" in capsys.readouterr().err
    assert Path("vectors/mine").read_text() == "kept"


def test_every_key_that_has_an_option_is_a_key() -> None:
    words, word2vec = Words().model_dump(), Word2Vec().model_dump()
    command = typer.main.get_command(cli.app)
    context = typer.Context(command)
    train = command.get_command(context, "vectors").get_command(context, "train")  # type: ignore[attr-defined]
    options = {option for parameter in train.params for option in parameter.opts}
    for key, option in vectors_train.OPTIONS.items():
        assert option in options
        section, _, rest = key.partition(".")
        value = {"words": words, "word2vec": word2vec | word2vec["skipgram"]}.get(section, {})
        for part in rest.split("."):
            assert section == "heldout_share" or part in value
            value = value[part] if isinstance(value, dict) and part in value else {}


def test_keys_become_options_and_other_words_stay() -> None:
    message = "lower words.min_count, or word2vec.skipgram.learning_rate; word2vec needs 2 words. See word2vec.other"
    assert in_options(message) == "lower --min-count, or --learning-rate; word2vec needs 2 words. See word2vec.other"


@pytest.mark.system
def test_ctrl_c_and_the_same_command_again(text: Path) -> None:
    """Ctrl-C in a real process: exit 130, a checkpoint, no output; then the rest of it."""
    text.write_text(text.read_text() * 20)
    command = [
        sys.executable, "-m", "firth.cli", "vectors", "train", "--input", "text.txt", "--output", "vectors",
        "--epochs", "400", "--threads", "1",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "in the vocabulary" in line:
                break
        while not list(Path("vectors.unfinished/run").glob("metrics.jsonl")):
            assert child.poll() is None
        while not (text.parent / "vectors.unfinished/run/metrics.jsonl").read_text():
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        errors = child.stderr.read()
        assert child.wait(timeout=60) == 130
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    assert not Path("vectors").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "goes on from its checkpoint at" in done.stderr
    assert read_json(Path("vectors/training.json"))["epochs"] == 400
    assert not Path("vectors.unfinished").exists()
