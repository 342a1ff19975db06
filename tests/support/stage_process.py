"""A stage in a process of its own, as dvc.yaml runs it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_stage(folder: Path, module: str, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """`python -m firth.stages.<module>` in `folder`; wheels come from this checkout's store."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "FIRTH_STATE": str(ROOT / ".firth")}
    return subprocess.run(
        [sys.executable, "-m", f"firth.stages.{module}", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
