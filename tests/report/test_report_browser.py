"""The page in a real browser: no request, no error, no sideways scrolling, and a theme that can be changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.official_tasks import add_official

from firth.stages.report import main

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OVERLAPS = """() => [...document.querySelectorAll("svg.chart")].flatMap(chart => {
  const texts = [...chart.querySelectorAll("text:not([transform])")].filter(text => text.getClientRects().length);
  const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([one, a], i) => boxes.slice(0, i).filter(([, b]) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    // A line's box is higher than its letters.
    return wide > 1 && high > 0.3 * Math.min(a.height, b.height);
  }).map(([other]) => `${chart.getAttribute("aria-labelledby")}: ${one} / ${other}`));
})"""
"""Texts of one drawing that lie on each other."""

PAPER = {"light": "rgb(253, 252, 250)", "dark": "rgb(21, 23, 26)"}

pytestmark = [pytest.mark.system, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def address(project: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        main([])
    return (project / "data" / "report" / "index.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_in_a_browser(browser: Browser, address: str, scheme: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER[scheme]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#map .pane:visible").count() == 1
    page.locator("label[for=map-cbow-tab]").click()
    assert (
        page.locator("#map .pane:visible svg.chart").get_attribute("aria-labelledby") == "map-cbow-title map-cbow-desc"
    )
    assert page.evaluate(OVERLAPS) == []
    page.locator("#theme").click()
    other = {"light": "dark", "dark": "light"}[scheme]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER[other]
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER["light"]
    assert page.locator("#map .pane:visible").count() == 2
    assert asked == [address]
    assert said == []
    page.close()


def test_a_table_of_many_sets_scrolls_beside_the_systems_names(
    browser: Browser, official: Path, tasks_page: Callable[[Path], str]
) -> None:
    for name in ("glue/cola", "glue/rte", "squad"):
        add_official(official, name.removeprefix("glue/"), name)
    drawn = official / "index.html"
    drawn.write_text(tasks_page(official), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(drawn.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    table = page.locator("#published-glue .scroll")
    assert table.evaluate("box => box.scrollWidth > 1.5 * box.clientWidth")
    name = table.get_by_role("rowheader", name="BERT base")
    before = name.bounding_box()
    table.evaluate("box => { box.scrollLeft = 400 }")
    assert name.bounding_box() == before
    page.close()
