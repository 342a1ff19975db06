"""The committed `dvc.lock` belongs to the code and the parameters beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def test_every_stage_is_locked_and_no_lock_is_left_over() -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    expected = set()
    for name, stage in pipeline.items():
        items = stage.get("foreach", [])
        if isinstance(items, str):  # such as ${corpora}
            items = params[items.strip("${}")]
        expected |= {f"{name}@{item}" for item in items} or {name}
    locked = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    assert set(locked) == expected


@pytest.mark.slow
def test_the_lock_is_of_this_code_and_these_parameters() -> None:
    """Outputs may be missing in a fresh clone; what else differs means that `dvc repro` was forgotten."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    forgotten = {}
    for stage, changes in yaml.safe_load(done.stdout).items():
        for change in changes if isinstance(changes, list) else []:
            own = {
                path: state
                for path, state in {**change.get("changed deps", {})}.items()
                if state != "deleted" and not path.startswith("data/")
            }
            if own:
                forgotten[stage] = own
    assert forgotten == {}, "run `dvc repro` and commit dvc.lock together with the change"
