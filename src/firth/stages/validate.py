"""Stage `validate@CORPUS`: judge one raw corpus; a corpus that fails stops the pipeline here, with the reasons."""

from __future__ import annotations

import shutil
from pathlib import Path

from firth.config import load_params
from firth.errors import ConfigError, DataError
from firth.project import state_folder
from firth.stages.run import run_stage
from firth.validation import validate_corpus


def main(argv: list[str]) -> None:
    """Read `data/raw/CORPUS`, write `data/validation/CORPUS`; what fails is shown in `.firth/validation/CORPUS`."""
    params = load_params(Path("params.yaml"))
    if len(argv) != 1 or argv[0] not in params.corpora:
        raise ConfigError(f"name one corpus: {', '.join(params.corpora)}")
    (corpus,) = argv
    verdict = validate_corpus(corpus, Path("data/raw") / corpus, params.validation)
    refused = state_folder(Path.cwd()) / "validation" / corpus
    if not verdict.success:
        verdict.write(refused)
        page = (refused / "docs" / "index.html").relative_to(state_folder(Path.cwd()).parent)  # as seen from the clone
        raise DataError(f"{verdict.message}\n  Data Docs: {page}")
    verdict.write(Path("data/validation") / corpus)
    if refused.exists():
        shutil.rmtree(refused)  # an earlier refusal no longer holds


if __name__ == "__main__":
    run_stage(main)
