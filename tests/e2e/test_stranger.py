"""What a stranger sees on a fresh clone: the demo, the second time, wrong input, where models come from, a stop."""

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
from tests.support.clone_runs import (
    ALL,
    MODELS,
    TASKS,
    outputs,
    states,
    trainer,
    verdicts,
)
from tests.support.stranger import Demo

pytestmark = pytest.mark.system

TEXT_STAGES = ("ingest", "validate", "examples", "prepare", "words", "wordpiece", "tokenize")


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
