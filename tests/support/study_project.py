"""A project whose one stage is the real `bert`, with a token store of fables that Git itself holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml
from tests.support.fables import fable_store
from tests.support.toy_project import commit, dvc, run

from firth.config import with_overrides
from firth.config.load import preset_text

ROOT = Path(__file__).parents[2]
SMALL = (
    "bert.size=tiny", "bert.positions=64", "bert.length=48", "bert.batch=8", "bert.steps=12", "bert.threads=1",
    "bert.optimizer.warmup_steps=2", "bert.heldout.instances=64", "bert.checkpoint_seconds=0.001",
)  # fmt: skip
"""The parameters that differ from the demo's."""


def make(folder: Path, sources: bool = True) -> Path:
    """A committed clone at `folder`; without `sources` it has stages to plan and none to run."""
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(with_overrides(preset_text("demo"), list(SMALL))[0])
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["bert"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"bert": stage}}, sort_keys=False))
    (folder / ".gitignore").write_text("/.firth/\n__pycache__/\n")
    shutil.copy(ROOT / ".dvcignore", folder)
    fable_store(folder / "data" / "tokens" / "pieces")
    ignored = shutil.ignore_patterns("__pycache__")
    if sources:
        shutil.copytree(ROOT / "src", folder / "src", ignore=ignored)
        shutil.copytree(ROOT / "flows", folder / "flows", ignore=ignored)
    else:
        (folder / "src").mkdir()
        (folder / "src" / "stage.py").write_text("x = 1\n")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "git", "config", "user.name", "Toy")
    run(folder, "git", "config", "user.email", "toy@localhost")
    dvc(folder, "init", "--quiet")
    commit(folder)
    return folder
