"""`firth pretrain` in a folder that is no project."""

import json
import subprocess
import sys

import pytest
from fables import fable_store
from typer.testing import CliRunner

from firth.bert.folder import load
from firth.cli import app
from firth.commands.pretrain import settings_of
from firth.config.load import load_preset, preset_text
from firth.errors import ConfigError, FirthError

SMALL = [
    "--size", "tiny", "--steps", "6", "--set", "bert.positions=64", "--set", "bert.length=48", "--set", "bert.batch=4",
    "--set", "bert.heldout.instances=16", "--set", "bert.threads=1", "--set", "bert.accelerator=cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pieces")
    fable_store(folder)
    return folder


def firth(*args):
    found = CliRunner().invoke(app, ["pretrain", *map(str, args)])
    if isinstance(found.exception, FirthError):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.output


def test_it_trains_says_figures_and_what_is_next_and_does_nothing_twice(tokens, tmp_path):
    model = tmp_path / "model"
    said = firth("--tokens", tokens, "--to", model, *SMALL)
    assert "held-out masked words" in said
    assert "gain" in said
    assert "held-out next sentences" in said
    assert "commoner answer" in said
    assert f"firth fill --model {model}" in said
    assert f"firth export {model} --format hf" in said
    assert load(model).model.architecture.layers == 2
    training = json.loads((model / "training.json").read_text())
    assert training["steps"] == 6
    before = {path.name: path.stat().st_mtime_ns for path in model.iterdir()}
    again = firth("--tokens", tokens, "--to", model, *SMALL)
    assert "already" in again
    assert "held-out masked words" in again
    assert {path.name: path.stat().st_mtime_ns for path in model.iterdir()} == before
    # Other arguments: another training, whose result does not replace this one.
    with pytest.raises(FirthError, match="not the result of this training"):
        firth("--tokens", tokens, "--to", model, *SMALL, "--set", "bert.seed=2")
    # It goes on from a model, whose positions are kept.
    other = tmp_path / "other"
    onward = [argument for argument in SMALL if argument not in ("bert.positions=64",)]
    onward.pop(onward.index("--set"))
    firth("--tokens", tokens, "--to", other, *onward, "--init", model)
    assert load(other).model.architecture.positions == 64
    assert json.loads((other / "training.json").read_text())["inputs"]["bert.init"]


def test_a_training_by_the_clock_can_be_repeated(tokens, tmp_path):
    model, again = tmp_path / "model", tmp_path / "again"
    short = [*SMALL[:2], *SMALL[4:]]
    firth("--tokens", tokens, "--to", model, *short, "--minutes", "0.01", "--set", "bert.optimizer.warmup_steps=3")
    assert (model / "schedule.safetensors").is_file()
    said = firth("--tokens", tokens, "--to", again, "--replay", model)
    assert f"its weights are those of {model}, byte for byte" in said
    assert (again / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    assert "already" in firth("--tokens", tokens, "--to", again, "--replay", model)
    with pytest.raises(ConfigError, match="--replay takes all settings from the model"):
        firth("--tokens", tokens, "--to", tmp_path / "third", "--replay", model, "--steps", "5")
    fable_store(tmp_path / "other", heldout=4)
    with pytest.raises(FirthError, match="cannot be trained again with this: the token store was"):
        firth("--tokens", tmp_path / "other", "--to", tmp_path / "third", "--replay", model)


def test_a_training_by_steps_or_tokens_is_repeated_by_its_settings(tokens, tmp_path):
    model, again = tmp_path / "model", tmp_path / "again"
    short = [*SMALL[:2], *SMALL[4:]]
    firth("--tokens", tokens, "--to", model, *short, "--token-budget", "500")
    training = json.loads((model / "training.json").read_text())
    assert 500 <= training["tokens"] < 900
    said = firth("--tokens", tokens, "--to", again, "--replay", model)
    assert "byte for byte" in said


def test_what_somebody_else_has_there_stays(tokens, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FirthError, match="not empty"):
        firth("--tokens", tokens, "--to", tmp_path, *SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_settings_are_those_of_the_sizes_preset(tmp_path):
    small = settings_of(None, "small", None, [])
    preset = load_preset("small").bert
    assert small.steps == preset.steps
    assert small.optimizer == preset.optimizer
    assert settings_of(None, None, None, []).size == "mini"
    assert settings_of(None, "medium", None, []).size == "medium"
    shorter = settings_of(None, "mini", 50, ["bert.batch=7"])
    assert (shorter.steps, shorter.optimizer.warmup_steps, shorter.batch) == (50, 5, 7)
    assert settings_of(None, "mini", None, [], positions=177).positions == 177
    assert settings_of(None, "mini", None, [], positions=77).length == 77
    timed = settings_of(None, "mini", None, [], minutes=25)
    assert (timed.minutes, timed.tokens, timed.steps) == (25.0, 0, 10_000_000)
    assert timed.optimizer == load_preset("mini").bert.optimizer
    counted = settings_of(None, "mini", 500, [], token_budget=10**8)
    assert (counted.minutes, counted.tokens, counted.steps) == (0.0, 10**8, 500)
    params = tmp_path / "params.yaml"
    params.write_text(preset_text("demo"))
    assert settings_of(params, None, None, []) == load_preset("demo").bert
    assert settings_of(params, "tiny", None, []).size == "tiny"


def test_only_settings_of_bert_can_be_set(tmp_path):
    with pytest.raises(ConfigError, match="only settings of bert"):
        settings_of(None, None, None, ["word2vec.dim=5"])
    with pytest.raises(ConfigError, match=r"bert\.btach: unknown key; did you mean 'batch'"):
        settings_of(None, None, None, ["bert.btach=5"])
    with pytest.raises(ConfigError, match="no such file"):
        settings_of(tmp_path / "none.yaml", None, None, [])


@pytest.mark.slow
def test_no_project_tool_is_needed(tokens, tmp_path):
    """In a fresh process, in an empty folder: neither tracker, orchestrator nor DVC is so much as imported."""
    code = (
        "import sys; from firth.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as ended: assert not ended.code, ended.code\n"
        "print([name for name in ('mlflow', 'dvc', 'prefect', 'git', 'datasets') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, "pretrain", "--tokens", str(tokens), "--to", "model", *SMALL]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "tokens/s" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.run"]
