"""The scripts for a lent GPU, tried without one: parts that fail, calls that end, work that goes on."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from fables import fable_store

ROOT = Path(__file__).parents[2]


def bash(script, *arguments, **variables):
    return subprocess.run(
        ["bash", str(ROOT / "bench" / script), *map(str, arguments)],
        env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_run(tmp_path):
    done = bash("gpu.sh", tmp_path / "figures")
    assert done.returncode == 0
    assert "finds no NVIDIA GPU here; nothing was run" in done.stdout
    assert not list((tmp_path / "figures").iterdir())


@pytest.mark.system
@pytest.mark.skipif(torch.cuda.is_available(), reason="sizes are those of a CPU")
def test_a_part_that_fails_or_has_no_time_is_reported_and_the_others_go_on(tmp_path):
    """A token store that is not there, and so little time that the tests are ended."""
    done = bash("gpu.sh", tmp_path / "figures", tmp_path, BENCH_DEVICE="cpu", SECONDS_IN_ALL="200", TESTS_SECONDS="2")
    assert done.returncode == 1
    said = (tmp_path / "figures" / "summary.txt").read_text(encoding="utf-8")
    assert "BERT: tests: ENDED after 2 s, its time" in said
    assert "BERT: speed beside transformers: FAILED with exit code 1" in said
    assert "BERT: packed against padded: FAILED with exit code 1" in said
    assert "manifest.json" in (tmp_path / "figures" / "log.txt").read_text(encoding="utf-8")


@pytest.mark.system
@pytest.mark.skipif(torch.cuda.is_available(), reason="sizes are those of a CPU")
def test_a_budget_is_used_up_in_several_calls(tmp_path):
    """Training is told to end, goes on, ends; then fine-tuning, of which the second call has nothing left to do."""
    fable_store(tmp_path / "pieces")
    glue = tmp_path / "glue" / "RTE"
    glue.mkdir(parents=True)
    labels = ("not_entailment", "entailment")
    rows = [f"{n}\tThe fox saw {n} crows.\tThe {'fox' if n % 2 else 'hare'} ran.\t{labels[n % 2]}" for n in range(40)]
    for side, part in (("train", rows[:30]), ("dev", rows[30:])):
        text = "\n".join(["index\tsentence1\tsentence2\tlabel", *part]) + "\n"
        (glue / f"{side}.tsv").write_text(text, encoding="utf-8")
    changes = ("positions=64", "length=48", "batch=8", "threads=1", "optimizer.warmup_steps=20")
    said = []
    for _ in range(9):
        done = bash(
            "budget.sh", tmp_path / "pieces", tmp_path / "out", "0.5",
            *(word for change in changes for word in ("--set", f"bert.{change}")),
            SIZE="tiny", CALL_SECONDS="90", SAVE_SECONDS="60", GLUE=str(glue.parent),
            GLUE_OPTIONS="--tasks RTE --epochs 1",
        )  # fmt: skip
        said.append(done.stdout.splitlines()[-1])
        assert done.returncode in (0, 75), done.stdout[-3000:] + done.stderr[-2000:]
        if done.returncode == 0:
            break
    assert said[-1] == "all is done"
    assert len(said) > 1
    assert any("pretraining goes on with the next call" in line for line in said)
    assert "goes on from its checkpoint" in (tmp_path / "out" / "pretrain.txt").read_text(encoding="utf-8")
    figures = tmp_path / "out" / "figures"
    assert json.loads((figures / "glue.json").read_text(encoding="utf-8"))["tasks"].keys() == {"RTE"}
    assert len(list(figures.iterdir())) <= 8  # so many files come back from a lent machine
    training = json.loads((figures / "training.json").read_text(encoding="utf-8"))
    assert training["params"]["minutes"] == 0.5
