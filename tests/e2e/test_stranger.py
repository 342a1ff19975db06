"""What a stranger sees on a fresh clone: the demo, the second time, another clone, one parameter changed, a kill."""

from __future__ import annotations

import bz2
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml
from tests.support.stranger import Clone, Demo

pytestmark = pytest.mark.system

TEXT_STAGES = ("ingest", "validate", "examples", "prepare", "words", "wordpiece", "tokenize")
TASKS = ("snippets", "boolq", "disflqa", "ner")
SCORED = {f"tasks@{task}" for task in TASKS}
ALL = SCORED | {
    *(f"{stage}@{corpus}" for stage in ("ingest", "validate") for corpus in ("wikipedia", "boolq", "news")),
    *(f"examples@{task}" for task in TASKS),
    *("prepare", "words", "word2vec@skipgram", "word2vec@cbow", "word-tasks"),
    *("wordpiece", "tokenize", "bert", "report"),
}
STATIC_ONLY = "evaluation.encoders=[skipgram, cbow]"
"""Makes the tasks quick, where a test is not about them."""


def outputs(folder: Path) -> dict[str, dict[str, str]]:
    """stage -> output path -> md5, out of dvc.lock."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    return {
        stage: {out["path"]: out["md5"] for out in entry.get("outs", [])} for stage, entry in lock["stages"].items()
    }


def states(output: str) -> dict[str, str]:
    """stage -> done | up to date | …, out of the table that a run ends with."""
    rows = re.findall(
        r"^((?:ingest|validate|examples|word2vec|tasks)@\w+|prepare|words|word-tasks|wordpiece|tokenize|bert|report)"
        r"  +(\S.*?)(?:  +.*)?$",
        output,
        re.M,
    )
    return dict(rows)


MODELS = {"skipgram": "word2vec-skipgram", "cbow": "word2vec-cbow", "bert": "bert"}
"""Models of the pipeline and their names in the registry."""


def gate(output: str) -> dict[str, tuple[str, str]]:
    """model -> verdict and the rest of its line, out of what a run says last."""
    found = re.findall(r"^gate +(\w+): (promoted|refused|unchanged)[:,] (.*)$", output, re.M)
    return {model: (verdict, rest) for model, verdict, rest in found}


def verdicts(output: str) -> dict[str, str]:
    return {model: verdict for model, (verdict, _) in gate(output).items()}


def test_the_demo_ends_with_champions_a_report_and_what_to_try_next(demo: Demo) -> None:
    assert set(states(demo.output)) == ALL
    assert set(states(demo.output).values()) == {"done"}
    assert verdicts(demo.output) == dict.fromkeys(MODELS, "promoted")
    page = Path(re.findall(r"^report: (.+)$", demo.output, re.M)[-1])
    assert page.is_file()
    text = page.read_text(encoding="utf-8")
    assert "promoted" in text
    assert "cricket" in text
    assert len(re.findall(r"^  firth \S+", demo.output.split("next:")[1], re.M)) == 3
    # live: the trainings said how far they were, how fast, and how long it would still take
    assert re.search(r"word2vec@skipgram: .* words \(\d+%\), .* words/s, left \d+:\d\d, loss", demo.output)
    listed = demo.clone.answer("firth", "models", "--json")
    champions = {row["name"] for row in listed if "champion" in row["aliases"]}
    assert champions == set(MODELS.values())


def test_the_small_bert_has_learnt_more_than_word_frequencies(demo: Demo) -> None:
    metrics = json.loads((demo.clone.folder / "data" / "metrics" / "bert.json").read_text(encoding="utf-8"))
    assert metrics["heldout/mlm_gain"] >= 0.4
    assert metrics["heldout/unigram_loss"] - metrics["heldout/mlm_loss"] == pytest.approx(metrics["heldout/mlm_gain"])
    assert re.search(r"bert: .* tokens \(\d+%\), .* tokens/s, left \d+:\d\d", demo.output)


def test_every_usage_stands_beside_its_majority(demo: Demo) -> None:
    for task in TASKS:
        found = json.loads((demo.clone.folder / "data" / "tasks" / task / "results.json").read_text(encoding="utf-8"))
        systems = {row["system"]: row for row in found["systems"]}
        assert set(systems) == {"skipgram", "cbow", "random", "bert", "reference"}
        assert 0 <= found["majority"]["score"] < 1
        for row in systems.values():
            assert row["low"] <= row["score"] <= row["high"]
    snippets = json.loads((demo.clone.folder / "data" / "tasks" / "snippets" / "results.json").read_text("utf-8"))
    reference = next(row for row in snippets["systems"] if row["system"] == "reference")
    assert not reference["tie_with_majority"]
    assert reference["score"] > snippets["majority"]["score"]


def test_the_demo_leaves_no_process_and_no_change_behind(demo: Demo) -> None:
    assert [process.cmdline() for process in demo.clone.processes()] == []
    assert demo.changed in ("", " M dvc.lock\n"), "only the lock may change, and only on another CPU family"


def test_the_committed_lock_is_what_the_text_stages_wrote(demo: Demo) -> None:
    """Stages on text match by hash on any machine."""
    committed = yaml.safe_load(demo.clone.git("show", f"{demo.commit}:dvc.lock"))["stages"]
    made = outputs(demo.clone.folder)
    for stage in sorted(ALL):
        if stage.split("@")[0] in TEXT_STAGES:
            assert {out["path"]: out["md5"] for out in committed[stage]["outs"]} == made[stage], stage


def test_a_second_demo_says_that_everything_is_up_to_date(demo: Demo) -> None:
    started = time.monotonic()
    output = demo.clone.run("make", "demo", minutes=3)
    took = time.monotonic() - started
    assert set(states(output)) == ALL
    assert set(states(output).values()) == {"up to date"}
    assert "every stage is up to date" in output
    assert took < 120, f"{took:.0f} s, where an idle machine takes under 40"


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


def share_cache(clone: Clone, other: Clone) -> None:
    """Let `clone` use the outputs that `other` has made."""
    clone.run("dvc", "config", "--local", "cache.dir", str(other.folder / ".dvc" / "cache"))


def trainer(within: psutil.Process) -> psutil.Process | None:
    for process in within.children(recursive=True):
        try:
            command = process.cmdline()
            if command[1:2] == ["-m"] and command[2] in ("firth.stages.word2vec", "firth.stages.bert"):
                return process
        except psutil.NoSuchProcess:
            continue
    return None


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


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("word2vec.window=-1", "word2vec.window = -1"),
        ("word2vec.windw=3", "did you mean 'window'"),
        ("bert.optimizer.learning_rate=-1", "bert.optimizer.learning_rate = -1"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_starts(demo: Demo, override: str, said: str) -> None:
    before = sorted(path.name for path in (demo.clone.folder / ".firth" / "worktrees").glob("*"))
    started = time.monotonic()
    output = demo.clone.run("firth", "run", "--set", override, code=1)
    took = time.monotonic() - started
    assert said in output
    assert "Traceback" not in output
    assert took < 15, f"{took:.1f} s, where an idle machine takes under 5"
    assert sorted(path.name for path in (demo.clone.folder / ".firth" / "worktrees").glob("*")) == before


TEXT = b"The quick brown fox jumps over the lazy dog. "


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.txt", b"", "the source holds no text"),
        ("cut.txt.bz2", bz2.compress(TEXT * 5000)[:60], "cut.txt.bz2: bzip2 ends too early"),
        ("latin.txt", b"Le caf\xe9 est bon.\n" * 50, "latin.txt, line 1: not UTF-8"),
        ("field.jsonl", b'{"text": "fine"}\n{"txt": "no"}\n', "field.jsonl, line 2: no field 'text'"),
        ("long.txt", b"x" * 10_000_000, "few over-long words (long_word_share): expected at most 0.01; observed 1"),
    ],
)
def test_bad_input_is_one_clear_error_and_loses_nothing(
    demo: Demo, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    clone = demo.clone
    (tmp_path / name).write_bytes(content)
    before = outputs(clone.folder)
    clone.run("firth", "corpus", "add", "mine", str(tmp_path / name), "--licence", "own")
    output = clone.run("firth", "run", code=1)
    assert len(re.findall(r"^error: ", output, re.M)) == 1
    assert said in output.split("\nerror: ")[1]
    assert "Traceback" not in output
    assert {stage: outs for stage, outs in outputs(clone.folder).items() if not stage.endswith("@mine")} == before
    clone.git("checkout", "--quiet", ".")
    shutil.rmtree(clone.folder / "data" / "raw" / "mine", ignore_errors=True)
    assert "up to date" in clone.run("dvc", "status"), "every earlier output is as it was"


def test_help_answers_at_once(demo: Demo) -> None:
    times = []
    for _ in range(3):
        started = time.monotonic()
        demo.clone.run("firth", "--help")
        times.append(time.monotonic() - started)
    assert min(times) < 1.0


def champion(clone: Clone, name: str) -> str:
    """Version behind @champion."""
    listed = clone.answer("firth", "models", "--json")
    [version] = [row["version"] for row in listed if row["name"] == name and "champion" in row["aliases"]]
    return str(version)


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


@pytest.mark.parametrize(
    ("model", "behind"),
    [("word2vec-skipgram", {"words"}), ("bert", {"wordpiece", "tokenize", "examples@boolq"})],
)
def test_lineage_walks_back_to_the_bytes(demo: Demo, model: str, behind: set[str]) -> None:
    found = demo.clone.answer("firth", "lineage", f"{model}@champion", "--json")
    assert found["commit"] == demo.commit
    assert not found["dirty"]
    made = outputs(demo.clone.folder)
    for stage, paths in found["stages"].items():
        assert paths == made[stage], stage
    assert set(found["stages"]) >= {"ingest@wikipedia", "validate@news", "prepare"} | behind
    assert all(result["success"] for result in found["validation"].values())


def test_stopping_a_run_leaves_nothing_running(demo: Demo) -> None:
    process = demo.clone.start("firth", "run", "--set", "word2vec.seed=99", "--no-promote", "word2vec@skipgram")
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and not trainer(psutil.Process(process.pid)):
        time.sleep(0.3)
    time.sleep(3)
    os.killpg(process.pid, signal.SIGINT)
    try:
        output, _ = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode != 0
    assert "cancelled" in output
    time.sleep(2)
    assert [left.cmdline() for left in demo.clone.processes()] == []
