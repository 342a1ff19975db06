"""`report`: everything that was found, as `report.json` and one HTML page."""

from __future__ import annotations

from pathlib import Path

from firth.canonical import write_atomic
from firth.config import load_params
from firth.config.params import Params
from firth.errors import FirthError
from firth.progress import step
from firth.report.collect import collect, to_bytes
from firth.report.inputs import read_inputs
from firth.report.page import render
from firth.stages.run import run_stage
from firth.wheels import fetch_package_folder

DATA = Path("data")
OUTPUT = DATA / "report"


def main(argv: list[str]) -> None:
    """Write `data/report/report.json` and `data/report/index.html`."""
    if argv:
        raise FirthError(f"report takes no arguments, found {' '.join(argv)}")
    params = load_params(Path("params.yaml"))
    with step("report: read what the stages found"):
        inputs = read_inputs(DATA, list(params.tasks))
        reference = _reference(params)
    with step("report: neighbours, maps, blanks and scores"):
        report = collect(inputs, params, reference)
    with step("report: draw the page"):
        page = render(report, data="..")
    write_atomic(OUTPUT / "report.json", to_bytes(report))
    write_atomic(OUTPUT / "index.html", page.encode())


def _reference(params: Params) -> Path | None:
    """The published encoder that the ambiguous word is shown with, fetched if it is not here yet."""
    wanted = params.evaluation.reference
    if wanted is None or params.report.ambiguous is None:
        return None
    return fetch_package_folder(wanted.package, wanted.version, wanted.sha256, wanted.folder)


if __name__ == "__main__":
    run_stage(main)
