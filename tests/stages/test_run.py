"""The frame around stages, as a process: exit codes and what is printed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(code: str, folder: Path) -> subprocess.Popen[str]:
    imports = "import sys, time\nfrom firth.errors import DataError\nfrom firth.stages.run import run_stage\n"
    frame = f"{imports}{code}\nrun_stage(main)\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, "-c", frame, "wikipedia"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )


def test_what_a_person_can_mend_is_one_line(tmp_path: Path) -> None:
    process = start("def main(argv): raise DataError('no text field', 'news.jsonl', 3)", tmp_path)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (1, "error: news.jsonl, line 3: no text field\n")


def test_a_fault_of_ours_keeps_its_traceback(tmp_path: Path) -> None:
    process = start("def main(argv): raise KeyError(argv[0])", tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" in errors
    assert "KeyError: 'wikipedia'" in errors


def test_a_term_signal_unwinds_and_exits_143(tmp_path: Path) -> None:
    code = (
        "def main(argv):\n    try:\n        open('started', 'w').close()\n        time.sleep(60)\n"
        "    finally:\n        open('unwound', 'w').close()"
    )
    process = start(code, tmp_path)
    deadline = time.monotonic() + 30
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert (tmp_path / "unwound").exists()


def test_a_worktree_never_runs_another_copys_code(tmp_path: Path) -> None:
    (tmp_path / "src" / "firth").mkdir(parents=True)
    process = start("def main(argv): pass", tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "PYTHONPATH=src" in errors
