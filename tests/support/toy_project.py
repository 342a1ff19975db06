"""A toy project with real Git and DVC and stages that take no time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from firth.config.load import preset_text

DVC_YAML = """\
stages:
  raw:
    foreach: [x, y]
    do:
      cmd: PYTHONPATH=src python src/raw.py ${item}
      deps: [src/raw.py]
      params: [words.min_count]
      outs: ["data/raw/${item}"]
      meta: {retries: 1, retry_delay_seconds: 0.1, cores: 1, memory_gb: 0.5}
  train:
    desc: Learn the window
    cmd: PYTHONPATH=src python src/train.py
    deps: [src/train.py, data/raw]
    params: [word2vec.window]
    outs: [data/model]
    metrics: [data/metrics/word2vec-toy.json]
    meta: {cores: 2}
  report:
    cmd: PYTHONPATH=src python src/report.py
    deps: [src/report.py, data/model]
    outs: [data/report]
"""

RAW = """\
import pathlib, sys
print("reading", sys.argv[1], file=sys.stderr, flush=True)
folder = pathlib.Path("data/raw") / sys.argv[1]
folder.mkdir(parents=True)
(folder / "text.txt").write_text("text of " + sys.argv[1])
"""

TRAIN = """\
import json, pathlib, re, sys
text = pathlib.Path("params.yaml").read_text()
window = int(re.search(r"^  window: (\\d+)", text, re.M)[1])
if window == 13:
    print("error: window 13 is unlucky\\n  choose another", file=sys.stderr)
    sys.exit(1)
pathlib.Path("data/model").mkdir(parents=True)
pathlib.Path("data/model/model.txt").write_text(f"window {window}")
pathlib.Path("data/metrics").mkdir(parents=True, exist_ok=True)
pathlib.Path("data/metrics/word2vec-toy.json").write_text(json.dumps({"train/loss": window / 10}))
"""

REPORT = """\
import pathlib
pathlib.Path("data/report").mkdir(parents=True)
model = pathlib.Path("data/model/model.txt").read_text()
pathlib.Path("data/report/index.html").write_text(f"<p>{model}")
"""


def run(folder: Path, *command: str) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments)


def make(folder: Path) -> tuple[Path, Path]:
    """Two committed clones below `folder`: a new one, and one with dvc.lock and all outputs."""
    new, built = folder / "new", folder / "built"
    (new / "src").mkdir(parents=True)
    (new / "params.yaml").write_text(preset_text("demo"))
    (new / "dvc.yaml").write_text(DVC_YAML)
    (new / ".gitignore").write_text("/.firth/\n__pycache__/\n")
    for name, text in (("raw", RAW), ("train", TRAIN), ("report", REPORT)):
        (new / "src" / f"{name}.py").write_text(text)
    run(new, "git", "init", "--quiet", "--initial-branch", "main")
    run(new, "git", "config", "user.name", "Toy")
    run(new, "git", "config", "user.email", "toy@localhost")
    dvc(new, "init", "--quiet")
    commit(new)
    shutil.copytree(new, built, symlinks=True)
    dvc(built, "repro", "--quiet")
    commit(built)
    return new, built


def commit(folder: Path) -> None:
    """Commit everything."""
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "state")


def replace(path: Path, old: str, new: str) -> None:
    """Put `new` where `old` stands in the file, once."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def status(folder: Path) -> str:
    """What Git and DVC say about a clone: empty where nothing differs from the commit and from dvc.lock."""
    said = run(folder, "git", "status", "--porcelain") + dvc(folder, "status")
    return said.replace("Data and pipelines are up to date.\n", "")
