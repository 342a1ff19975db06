"""A browser before the servers of a clone: pages that stay on this machine, and what one does on them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support.stranger import Clone

from firth.pipeline.loopback import HOST, ask

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SECOND_VISIT = """if (location.protocol === "http:") {
  localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
  localStorage.setItem("mlflow.workflowType_v1", JSON.stringify("machine_learning"));
}"""
"""What MLflow keeps in the browser once its chat panel is closed and "Model training" is chosen."""

PATIENT = 60.0
"""Seconds for an answer that a test cannot do without."""


@dataclass(frozen=True)
class Served:
    """The clone with its servers up."""

    clone: Clone
    prefect: str
    mlflow: str
    said: str  # what `firth up` printed

    def runs(self) -> list[dict[str, Any]]:
        """Flow runs, newest first."""
        body = {"sort": "EXPECTED_START_TIME_DESC", "flows": {"name": {"any_": ["pipeline"]}}}
        found: list[dict[str, Any]] = ask(f"{self.prefect}/api/flow_runs/filter", body, PATIENT)
        return found

    def state_of(self, flow_run: str) -> str | None:
        """The type of the state of a flow run; None where the server is too busy to say."""
        found: dict[str, Any] = ask(f"{self.prefect}/api/flow_runs/{flow_run}") or {}
        return found.get("state_type")

    def trainings(self) -> list[dict[str, Any]]:
        """MLflow's runs, newest first, with `params` and `metrics` as plain mappings."""
        api = f"{self.mlflow}/api/2.0/mlflow"
        found = ask(f"{api}/experiments/get-by-name?experiment_name=firth", seconds=PATIENT)
        number = found["experiment"]["experiment_id"]
        return [
            {
                "id": run["info"]["run_id"],
                "name": run["info"]["run_name"],
                "experiment": number,
                **{
                    kind: {one["key"]: one["value"] for one in run["data"][kind]}
                    for kind in ("params", "metrics", "tags")
                },
            }
            for run in ask(f"{api}/runs/search", {"experiment_ids": [number]}, PATIENT)["runs"]
        ]

    def training(self, model: str, flow_run: str | None, window: int) -> dict[str, Any]:
        """The newest training of `model` with `window`, by this flow run if one is given."""
        return next(
            run
            for run in self.trainings()
            if run["tags"]["firth.stage"] == f"word2vec@{model}"
            and run["params"]["window"] == str(window)
            and flow_run in (None, run["tags"]["firth.flow_run_id"])
        )

    def state(self) -> dict[str, str]:
        """All that a run with other parameters must leave as it is."""
        outputs = {
            path.as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(self.clone.folder.glob("data/metrics/*.json"))
        }
        said = {name: self.clone.git(*name.split()) for name in ("rev-parse HEAD", "status --porcelain")}
        lock = (self.clone.folder / "dvc.lock").read_text(encoding="utf-8")
        return outputs | said | {"dvc.lock": lock, "dvc": self.clone.run("dvc", "status")}


@contextmanager
def pages(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a fresh context; none may have asked anything of another machine."""
    outside: list[str] = []
    contexts: list[BrowserContext] = []

    def note(request: Request) -> None:
        if urlsplit(request.url).hostname not in (HOST, None, ""):
            outside.append(request.url)

    def open_page(height: int = 900, width: int = 1440, scheme: Any = "light", again: bool = True) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB")
        contexts.append(context)
        context.add_init_script(SECOND_VISIT if again else "")
        context.set_default_timeout(30_000)
        context.on("request", note)
        return context.new_page()

    try:
        yield open_page
    finally:
        for context in contexts:
            context.close()
    assert outside == []


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.5)


def experiments(clone: Clone) -> dict[str, str]:
    """DVC's experiments: name and commit."""
    lines = clone.git("for-each-ref", "--format=%(refname:lstrip=-1) %(objectname)", "refs/exps").splitlines()
    return dict(line.split() for line in lines)


def drawn(chart: Locator) -> list[tuple[float, float]]:
    """The points of the longest curve of one of MLflow's charts."""
    curves = chart.evaluate("chart => chart.data.map(curve => (curve.x || []).map((x, i) => [x, curve.y[i]]))")
    return [(float(x), float(y)) for x, y in max(curves, key=len, default=[])]


def table_of(table: Locator) -> dict[str, dict[str, str]]:
    """A table as first cell of a row -> head of a column -> cell."""
    header, *rows = (row.locator("th, td").all_inner_texts() for row in table.locator("tr").all())
    return {
        row[0].strip(): {head.strip(): cell.strip() for head, cell in zip(header, row, strict=True)} for row in rows
    }


def field(page: Page, name: str) -> Locator:
    """One field of Prefect's form."""
    return page.locator(".schema-form-property", has=page.get_by_text(f"{name} (Optional)", exact=True))


def open_form(page: Page, served: Served, deployment: str) -> None:
    page.goto(f"{served.prefect}/deployments")
    page.get_by_role("link", name=deployment).first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    page.get_by_role("button", name="Submit").wait_for()
