"""What a person does in a browser: a run asked for in Prefect's form, compared in MLflow, read in the report.

Pictures of every page go to the folder that `FIRTH_SCREENSHOTS` names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.support.browsing import CHROMIUM, Served, drawn, experiments, field, open_form, pages, table_of, until
from tests.support.stranger import Demo

from firth.pipeline.loopback import HOST

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WINDOW = 3
RUN_SECONDS = 900.0

pytestmark = [pytest.mark.system, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]

METRICS = {
    "train/loss",
    "train/learning_rate",
    "train/words_per_second",
    "heldout/loss",
    "analogies/accuracy",
    "wordsim353/spearman",
    "simlex999/spearman",
    "snippets/accuracy",
    "boolq/accuracy",
    "disflqa/f1",
    "ner/entity_f1",
}
STAGES = 23


@dataclass(frozen=True)
class Asked:
    """The run that was asked for in the form."""

    name: str
    flow_run: str
    before: dict[str, str]
    seen: list[str]  # what the run's page showed while it ran


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("FIRTH_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def served(demo: Demo) -> Iterator[Served]:
    said = demo.clone.run("firth", "up")
    try:
        noted = json.loads((demo.clone.folder / ".firth" / "services.json").read_text(encoding="utf-8"))
        yield Served(
            demo.clone, f"http://{HOST}:{noted['prefect_port']}", f"http://{HOST}:{noted['mlflow_port']}", said
        )
    finally:
        demo.clone.run("firth", "down")
    assert [left.cmdline() for left in demo.clone.processes()] == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    with pages(browser) as opened:
        yield opened


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


@pytest.fixture(scope="module")
def asked(served: Served, browser: Browser, pictures: Path) -> Asked:
    """A run with another window: asked for in the form, watched while it trains, looked at when it has ended."""
    before, known = served.state(), {run["id"] for run in served.runs()}
    with pages(browser) as open_page:
        page = open_page()
        open_form(page, served, "pipeline")
        field(page, "window").get_by_role("spinbutton").fill(str(WINDOW))
        page.screenshot(path=pictures / "prefect-form.png", animations="disabled")
        page.get_by_role("button", name="Submit").click()

        until(lambda: len(served.runs()) > len(known), 30, "the run that was asked for")
        (run,) = [run for run in served.runs() if run["id"] not in known]
        page.get_by_role("link", name=run["name"]).first.click()
        page.wait_for_url(f"**/{run['id']}**")
        badge = page.locator(".state-badge").first
        page.get_by_text("words/s").first.wait_for(timeout=RUN_SECONDS * 1000)
        seen = [badge.inner_text().strip()]
        page.screenshot(path=pictures / "prefect-running.png", animations="disabled")
        page.goto("about:blank")  # without a GPU the page's moving timeline takes half a core from the training
        ended = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        until(lambda: served.state_of(run["id"]) in ended, RUN_SECONDS, "the run's end")
        page.goto(f"{served.prefect}/runs/flow-run/{run['id']}")
        badge.wait_for()
        seen.append(badge.inner_text().strip())
    return Asked(run["name"], run["id"], before, seen)


@pytest.mark.parametrize("name", ["window", "bert_learning_rate"])
def test_the_form_refuses_minus_one_and_nothing_starts(served: Served, page: Page, pictures: Path, name: str) -> None:
    runs, worktrees = served.runs(), sorted((served.clone.folder / ".firth" / "worktrees").glob("*"))
    open_form(page, served, "pipeline")
    number = field(page, name).get_by_role("spinbutton")
    number.fill("-1")
    with page.expect_response("**/create_flow_run") as answer:
        page.get_by_role("button", name="Submit").click()
    assert answer.value.status == 409
    refusal = f"Validation failed for field '{name}'. Failure reason: -1 is less than the minimum of 0"
    page.get_by_text(refusal).first.wait_for()
    number.scroll_into_view_if_needed()
    page.screenshot(path=pictures / f"prefect-refused-{name}.png", animations="disabled")
    assert [run["id"] for run in served.runs()] == [run["id"] for run in runs]
    assert sorted((served.clone.folder / ".firth" / "worktrees").glob("*")) == worktrees


def test_the_run_is_watched_and_ends_well(asked: Asked, served: Served, page: Page, pictures: Path) -> None:
    assert asked.seen == ["Running", "Completed"]
    page.goto(f"{served.prefect}/runs/flow-run/{asked.flow_run}")
    page.get_by_text(f"{STAGES} Task runs").first.wait_for()
    page.get_by_text("up to date", exact=True).first.wait_for()
    page.screenshot(path=pictures / "prefect-run.png")
    page.get_by_text("Task Runs", exact=True).click()
    for stage in ("report", "word-tasks", "word2vec@cbow", "word2vec@skipgram"):
        page.get_by_role("link", name=stage, exact=True).first.wait_for()


def test_the_artifact_tells_what_came_out(asked: Asked, served: Served, page: Page, pictures: Path) -> None:
    page.goto(f"{served.prefect}/artifacts")
    page.locator("a[href='/artifacts/key/scores']").first.click()
    newest = page.locator("a[href^='/artifacts/artifact/']").first
    page.get_by_role("link", name=asked.name).first.wait_for()
    newest.click()
    page.get_by_text(f"word2vec.window: 5 → {WINDOW}").wait_for()
    page.screenshot(path=pictures / "prefect-artifact.png", animations="disabled")
    told = [table_of(table) for table in page.locator("table").all()]
    words, tasks = (next(table for table in told if row in table) for row in ("analogies, accuracy", "majority"))
    for model, called in {"skipgram": "skip-gram", "cbow": "CBOW"}.items():
        metrics = served.training(model, asked.flow_run, WINDOW)["metrics"]
        for label in ("analogies, accuracy", "wordsim353, Spearman", "simlex999, Spearman"):
            metric = label.lower().replace(", ", "/")
            assert words[label][model].startswith(f"{metrics[metric]:.3f} ["), (model, metric)
        for label in ("boolq, accuracy", "disflqa, f1", "ner, entity_f1", "snippets, accuracy"):
            metric = label.replace(", ", "/")
            assert tasks[called][label].startswith(f"{metrics[metric]:.2f} ±"), (model, metric)
    assert page.get_by_text(re.compile("promoted|refused")).count() >= 2


def test_the_form_does_what_the_command_line_does(asked: Asked, served: Served) -> None:
    assert served.state() == asked.before
    saved = experiments(served.clone)
    (name,) = [name for name in saved if name.startswith(asked.name)]
    assert f"  window: {WINDOW}\n" in served.clone.git("show", f"{saved[name]}:params.yaml")

    said = served.clone.run("firth", "run", "--set", f"word2vec.window={WINDOW}", "--no-promote")
    for model in ("skipgram", "cbow"):
        assert re.search(rf"^word2vec@{model} +restored", said, re.M), said
    ((other, commit),) = experiments(served.clone).items() - saved.items()
    lock = served.clone.git("show", f"{commit}:dvc.lock")
    assert lock == served.clone.git("show", f"{saved[name]}:dvc.lock"), f"{other} differs from {name}"
    assert served.state() == asked.before


def test_two_trainings_are_compared(
    asked: Asked, served: Served, open_page: Callable[..., Page], pictures: Path
) -> None:
    ours = served.training("skipgram", asked.flow_run, WINDOW)
    base = served.training("skipgram", None, 5)
    (address,) = re.findall(r"^compare trainings +(\S+)$", served.said, re.M)
    for again in (False, True):
        page = open_page(height=1080, again=again)
        page.goto(address)
        for run in (ours, base):
            page.locator(f"[row-id='{run['id']}'] input[type=checkbox]").first.check()
        page.screenshot(path=pictures / f"mlflow-runs-{'again' if again else 'first'}.png")

    page.get_by_role("button", name="Compare").click()
    page.get_by_text("Comparing 2 Runs from 1 Experiment").wait_for()
    page.get_by_role("row", name="dim 100 100").wait_for()
    page.get_by_text("Show diff only").first.click()
    page.get_by_role("row", name="dim 100 100").wait_for(state="detached")
    page.get_by_role("row", name=re.compile(f"window ({WINDOW} 5|5 {WINDOW})")).wait_for()
    page.get_by_text("Visualizations").click()
    page.screenshot(path=pictures / "mlflow-compare.png", animations="disabled")
    assert {name for name in METRICS if page.get_by_role("link", name=name, exact=True).is_visible()} == METRICS
    assert set(ours["metrics"]) == METRICS


def test_the_loss_is_drawn_over_words_seen(asked: Asked, served: Served, page: Page, pictures: Path) -> None:
    run = served.training("skipgram", asked.flow_run, WINDOW)
    page.goto(f"{served.mlflow}/#/experiments/{run['experiment']}/runs/{run['id']}")
    page.get_by_text(run["name"]).first.wait_for()
    page.screenshot(path=pictures / "mlflow-run.png")
    page.get_by_text("Model metrics").click()
    page.get_by_placeholder("Search metric charts").fill("train/loss")
    chart = page.locator(".js-plotly-plot").first
    chart.wait_for()
    until(lambda: len(drawn(chart)) > 100, 30, "the curve")
    points = drawn(chart)
    assert points[0][1] > points[-1][1]
    assert [step for step, _ in points] == sorted(step for step, _ in points)
    page.screenshot(path=pictures / "mlflow-loss.png")


def test_the_registry_tells_aliases_and_the_decision(asked: Asked, served: Served, page: Page, pictures: Path) -> None:
    listed = served.clone.answer("firth", "models", "--json")
    run = served.training("skipgram", asked.flow_run, WINDOW)
    (ours,) = [row for row in listed if row["run_id"] == run["id"]]
    page.goto(f"{served.mlflow}/#/models")
    page.get_by_role("button", name="Try it now").click()
    page.get_by_role("link", name="word2vec-cbow").wait_for()
    page.screenshot(path=pictures / "mlflow-models.png", animations="disabled")
    page.get_by_role("link", name="word2vec-skipgram").click()
    for row in listed:
        if row["name"] == "word2vec-skipgram":
            line = page.get_by_role("row").filter(has_text=f"Version {row['version']}")
            line.wait_for()
            assert all(f"@\xa0{alias}" in line.inner_text() for alias in row["aliases"]), row
    page.screenshot(path=pictures / "mlflow-aliases.png")
    page.get_by_role("link", name=f"Version {ours['version']}", exact=True).click()
    page.get_by_text(f"Decision: {ours['verdict']}").wait_for()
    page.get_by_text(f"window {WINDOW}, negatives 5").first.wait_for()
    page.screenshot(path=pictures / "mlflow-model.png", animations="disabled")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_and_data_docs_are_read(
    asked: Asked, served: Served, open_page: Callable[..., Page], pictures: Path, scheme: str
) -> None:
    folder = served.clone.folder
    (own,) = (folder / ".firth" / "report").glob(f"{asked.name}*.html")
    places = {
        "report": folder / ".firth" / "report" / "index.html",
        "report-of-the-run": own,
        **{f"validation-{path.parts[-3]}": path for path in folder.glob("data/validation/*/docs/index.html")},
    }
    assert len(places) == 5
    page = open_page(width=1280, height=1400, scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(request.url))
    for name, path in places.items():
        page.goto(path.as_uri())
        page.screenshot(path=pictures / f"{name}-{scheme}.png")
        red, green, blue = map(
            int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
        )
        assert (min(red, green, blue) > 200) if scheme == "light" else (max(red, green, blue) < 60), name
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, name
    page.goto(own.as_uri())
    page.get_by_text(re.compile("promoted|refused")).first.wait_for()
    for link in page.locator("a[href$='docs/index.html']").all():
        assert Path(urlsplit(str(link.evaluate("link => link.href"))).path).is_file()
    assert said == []
