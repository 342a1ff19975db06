"""The frame around every stage's `main`: own sources only, one line for an error, 143 for a TERM signal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

import firth
from firth.errors import FirthError, PassingError

TERMINATED = 128 + signal.SIGTERM
INTERRUPTED = 128 + signal.SIGINT
LASTING, PASSING = "error", "error (may pass)"
"""How a stage's last words begin; a flow tries again only what may pass."""


def run_stage(main: Callable[[list[str]], None]) -> NoReturn:
    """Run `main` on the command line's arguments and exit: 0 done, 1 a `FirthError`, 143 ended by TERM, 130 by Ctrl-C.

    Anything that is not a `FirthError` is a fault of ours and keeps its traceback.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _refuse_foreign_sources(Path.cwd())
        main(sys.argv[1:])
    except FirthError as error:
        sys.stderr.flush()
        print(f"{PASSING if isinstance(error, PassingError) else LASTING}: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        sys.exit(INTERRUPTED)
    sys.exit(0)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    """Unwind as any exit does, so that temporary files go and child processes are ended."""
    sys.exit(TERMINATED)


def _refuse_foreign_sources(folder: Path) -> None:
    """A flow run's worktree must run its own code: another copy of `firth` would make its results lie."""
    source = Path(firth.__file__).resolve().parent
    own = folder / "src" / "firth"
    if own.is_dir() and source != own.resolve():
        raise FirthError(
            f"this folder has its own src/firth, but Python imports {os.path.relpath(source, folder)}; "
            "run the stage as dvc.yaml does, with PYTHONPATH=src"
        )
