"""What runs in a clone printed and left: stages, outputs, verdicts of the gate, champions."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import yaml
from tests.support.stranger import Clone

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
MODELS = {"skipgram": "word2vec-skipgram", "cbow": "word2vec-cbow", "bert": "bert"}
"""Models of the pipeline and their names in the registry."""


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


def gate(output: str) -> dict[str, tuple[str, str]]:
    """model -> verdict and the rest of its line, out of what a run says last."""
    found = re.findall(r"^gate +(\w+): (promoted|refused|unchanged)[:,] (.*)$", output, re.M)
    return {model: (verdict, rest) for model, verdict, rest in found}


def verdicts(output: str) -> dict[str, str]:
    return {model: verdict for model, (verdict, _) in gate(output).items()}


def share_cache(clone: Clone, other: Clone) -> None:
    """Let `clone` use the outputs that `other` has made, and have the lock that names them."""
    clone.run("dvc", "config", "--local", "cache.dir", str(other.folder / ".dvc" / "cache"))
    (clone.folder / "dvc.lock").write_bytes((other.folder / "dvc.lock").read_bytes())
    if clone.git("status", "--porcelain"):  # another CPU family than the committed lock's
        clone.git("commit", "--quiet", "--all", "--message", "the lock of this machine")


def trainer(within: psutil.Process) -> psutil.Process | None:
    for process in within.children(recursive=True):
        try:
            command = process.cmdline()
            if command[1:2] == ["-m"] and command[2] in ("firth.stages.word2vec", "firth.stages.bert"):
                return process
        except psutil.NoSuchProcess:
            continue
    return None


def champion(clone: Clone, name: str) -> str:
    """Version behind @champion."""
    listed = clone.answer("firth", "models", "--json")
    [version] = [row["version"] for row in listed if row["name"] == name and "champion" in row["aliases"]]
    return str(version)
