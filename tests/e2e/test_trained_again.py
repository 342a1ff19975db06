"""What trains once more: worse and better models at the gate, another clone, one parameter changed, a kill.

Takes longest, and so comes last (`FIRTH_UNTIL`).
"""

from __future__ import annotations

import os
import re
import signal
import time

import psutil
import pytest
from tests.support.clone_runs import (
    MODELS,
    SCORED,
    STATIC_ONLY,
    champion,
    gate,
    outputs,
    share_cache,
    states,
    trainer,
    verdicts,
)
from tests.support.stranger import Clone, Demo

pytestmark = pytest.mark.system


def test_a_worse_model_is_refused_with_its_reason(demo: Demo) -> None:
    clone = demo.clone
    before = champion(clone, "word2vec-skipgram")
    short = [*(f"word2vec.{key}" for key in ("dim=4", "skipgram.epochs=1", "cbow.epochs=1")), STATIC_ONLY]
    worse = clone.run("firth", "run", *(part for key in short for part in ("--set", key)))
    assert verdicts(worse) == {"skipgram": "refused", "cbow": "refused", "bert": "unchanged"}, worse
    assert re.search(r"wordsim353 \S+ is below the minimum", gate(worse)["skipgram"][1])
    listed = clone.answer("firth", "models", "--json")
    assert [row for row in listed if row["name"] == "word2vec-skipgram" and row["verdict"] == "refused"]
    assert champion(clone, "word2vec-skipgram") == before
    found = clone.answer("firth", "lineage", "word2vec-skipgram@challenger", "--json")
    assert found["verdict"] == "refused"


def test_a_better_model_is_promoted_and_a_rollback_restores(demo: Demo, second: Clone) -> None:
    share_cache(second, demo.clone)
    weak = [*(f"word2vec.{model}.epochs=4" for model in ("skipgram", "cbow")), STATIC_ONLY]
    first = second.run("firth", "run", *(part for key in weak for part in ("--set", key)))
    assert verdicts(first) == dict.fromkeys(MODELS, "promoted"), first
    weaker = champion(second, "word2vec-skipgram")
    better = second.run("firth", "run")
    assert set(states(better).values()) <= {"up to date", "restored"}, "the first clone's cache has every output"
    assert verdicts(better) == {"skipgram": "promoted", "cbow": "promoted", "bert": "unchanged"}, better
    stronger = champion(second, "word2vec-skipgram")
    assert int(stronger) > int(weaker)
    second.run("firth", "rollback", "word2vec-skipgram")
    assert champion(second, "word2vec-skipgram") == weaker
    second.run("firth", "rollback", "word2vec-skipgram")
    assert champion(second, "word2vec-skipgram") == stronger


def test_a_second_clone_reproduces_every_hash_with_dvc_alone(demo: Demo, second: Clone) -> None:
    (second.folder / "dvc.lock").unlink()
    second.run("dvc", "repro", minutes=30)
    assert outputs(second.folder) == outputs(demo.clone.folder)
    # a clone that only ever ran DVC can promote too: its runs come from the outputs
    verdicts = second.answer("firth", "promote", "--json")
    assert {item["verdict"] for item in verdicts} == {"promoted"}


def test_a_changed_window_reruns_word2vec_and_what_follows(demo: Demo) -> None:
    clone = demo.clone
    before = (clone.git("status", "--porcelain"), outputs(clone.folder), (clone.folder / "params.yaml").read_bytes())
    output = clone.run("firth", "run", "--set", "word2vec.window=2", "--set", STATIC_ONLY, "--no-promote", minutes=15)
    ran = {stage for stage, state in states(output).items() if state == "done"}
    assert ran == {"word2vec@skipgram", "word2vec@cbow", "word-tasks", "report"} | SCORED
    assert {state for stage, state in states(output).items() if stage not in ran} == {"up to date"}
    after = (clone.git("status", "--porcelain"), outputs(clone.folder), (clone.folder / "params.yaml").read_bytes())
    assert before == after, "a run with --set must leave the clone untouched"

    experiment = re.search(r"dvc exp apply (\S+)", output)
    assert experiment, output
    clone.run("dvc", "exp", "apply", experiment[1])
    assert "window: 2" in (clone.folder / "params.yaml").read_text(encoding="utf-8")
    assert "up to date" in clone.run("dvc", "status")
    assert outputs(clone.folder)["word2vec@cbow"] != before[1]["word2vec@cbow"]
    clone.git("checkout", "--quiet", ".")
    clone.run("dvc", "checkout")
    assert clone.git("status", "--porcelain") == ""


KILLED = {
    "word2vec@skipgram": (
        {"word2vec:\n  dim: 100": "word2vec:\n  dim: 48"},
        "data/vectors/skipgram/vectors.safetensors",
    ),
    "bert": (
        {"bert:\n  size: mini": "bert:\n  size: tiny", "  steps: 2600": "  steps: 800"},
        "data/models/bert/model.safetensors",
    ),
}
"""Training stage: what is changed in params.yaml so that it trains anew (and not for long), and its weights."""
CHECKPOINT_SECONDS = re.compile(r"checkpoint_seconds: [\d.]+")


@pytest.mark.parametrize("stage", KILLED)
def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(demo: Demo, second: Clone, stage: str) -> None:
    clone = demo.clone
    share_cache(second, clone)
    changes, weights = KILLED[stage]
    for each in (second, clone):
        params = each.folder / "params.yaml"
        text = params.read_text(encoding="utf-8")
        for old, new in changes.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        params.write_text(CHECKPOINT_SECONDS.sub("checkpoint_seconds: 2.0", text), encoding="utf-8")
    second.run("dvc", "checkout", "--allow-missing", code=None)

    process = second.start("dvc", "repro", "--single-item", stage)
    runs = second.folder / ".firth" / "runs" / stage.replace("@", "-")
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        if list(runs.glob("*/checkpoints/step-*/state.json")) and trainer(psutil.Process(process.pid)):
            break
        time.sleep(0.1)
    assert process.poll() is None, process.communicate()[0]
    os.killpg(process.pid, signal.SIGKILL)
    child = trainer(psutil.Process(process.pid)) if psutil.pid_exists(process.pid) else None
    if child is not None:
        child.kill()
    process.communicate()
    assert not (second.folder / weights).exists()

    output = second.run("dvc", "repro", "--single-item", stage)
    assert "goes on from its checkpoint at" in output, output
    clone.run("dvc", "repro", "--single-item", "--no-run-cache", stage)
    assert (second.folder / weights).read_bytes() == (clone.folder / weights).read_bytes()
    clone.git("checkout", "--quiet", ".")
    clone.run("dvc", "checkout")


def test_another_learning_rate_reruns_bert_and_what_follows(demo: Demo) -> None:
    clone = demo.clone
    before = (clone.git("status", "--porcelain"), outputs(clone.folder))
    quick = (
        "bert.optimizer.learning_rate=0.0005",
        "bert.size=tiny",
        "bert.steps=60",
        "bert.optimizer.warmup_steps=6",
        STATIC_ONLY,
    )
    output = clone.run("firth", "run", *(part for key in quick for part in ("--set", key)), minutes=10)
    ran = {stage for stage, state in states(output).items() if state == "done"}
    assert ran == {"bert", "report"} | SCORED
    assert {state for stage, state in states(output).items() if stage not in ran} == {"up to date"}
    assert (clone.git("status", "--porcelain"), outputs(clone.folder)) == before
    # sixty steps of a tiny model: the gate keeps the demo's
    assert verdicts(output) == {"skipgram": "unchanged", "cbow": "unchanged", "bert": "refused"}
    assert "mlm" in gate(output)["bert"][1]
