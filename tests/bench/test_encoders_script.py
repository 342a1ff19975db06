"""The script that makes the whole table of encoders: what it asks `bench.tasks` for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench.tasks import parser_of

SCRIPT = Path(__file__).parents[2] / "bench" / "encoders.sh"
PYTHON = """#!/usr/bin/env bash
echo "$*" >> "$CALLS"
while [ $# -gt 0 ]; do [ "$1" = --json ] && echo "[]" > "$2"; shift; done
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python").write_text(PYTHON)
    (programs / "python").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(folder / "calls")}
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_every_way_is_asked_for_once_and_all_make_one_table(tmp_path: Path) -> None:
    done = run(tmp_path, str(tmp_path / "table"), "--data", "DATA", "--train-examples", "2500", "--threads", "1")
    assert done.returncode == 0, done.stderr
    *calls, last = [line.split()[2:] for line in (tmp_path / "calls").read_text().splitlines()]
    asked = [parser_of().parse_args(call) for call in calls]
    ways = [
        (encoder, mode, head)
        for one in asked
        for encoder in one.encoders.split(",")
        for mode in one.modes.split(",")
        for head in one.heads.split(",")
    ]
    assert len(set(ways)) == len(ways)
    assert {
        ("reference", "finetuned", "linear"),
        ("bert", "finetuned", "linear"),
        ("skipgram", "frozen", "bilstm"),
    } <= {*ways}
    assert {(one.train_examples, one.threads, str(one.data)) for one in asked} == {(2500, 1, "DATA")}
    assert min(one.seeds for one in asked if "reference" in one.encoders and "finetuned" in one.modes) == 5
    assert [str(path) for path in parser_of().parse_args(last).table] == [str(one.json) for one in asked]


def test_a_call_without_a_folder_says_how(tmp_path: Path) -> None:
    done = run(tmp_path, "--data", "DATA")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: bash bench/encoders.sh FOLDER --data DATA")
