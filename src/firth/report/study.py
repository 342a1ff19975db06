"""The page of a study: one drawing for each measure, what it says beyond chance, and the trainings behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firth.canonical import write_atomic
from firth.report.page import templates
from firth.report.say import signed
from firth.report.svg import seed_chart

PAGE = "index.html"


def write_page(folder: Path, results: Mapping[str, Any]) -> Path:
    """Write the page of `results` (a study's `results.json`) into `folder`; its path."""
    page = folder / PAGE
    write_atomic(page, render(results).encode())
    return page


def render(results: Mapping[str, Any]) -> str:
    """The page as HTML that asks nothing of a network."""
    charts = {
        each["key"]: seed_chart(
            f"study-{each['key']}",
            f"{results['title']}: {each['title'].lower()}",
            each["cells"],
            marked=results["paper"],
            level=("piece frequencies", each["unigram"]),
            unit="nats a hidden piece, less is better",
        )
        for each in results["measures"]
    }
    said = {each["key"]: findings(each, results["paper"], len(results["seeds"])) for each in results["measures"]}
    against = {each["key"]: {one["cell"]: one for one in each["differences"]} for each in results["measures"]}
    found = templates()
    found.filters |= {"difference": difference, "interval": interval}
    return found.get_template("study.html").render(results=results, charts=charts, said=said, against=against)


def findings(measure: Mapping[str, Any], paper: str, seeds: int) -> list[str]:
    """What may be said of a measure: differences that are clear of the chance between seeds, or that there is none."""
    if seeds < 2:
        return [
            "One seed: another one would move each of these figures, by how much is not known. Nothing is claimed; "
            "--seeds 3 or more tells chance from difference."
        ]
    clear = [each for each in measure["differences"] if each["clear"]]
    if not clear:
        return [f"No difference from {paper} is beyond what the seeds alone make: nothing is claimed."]
    return [
        f"{each['cell']}: {abs(each['mean']):.3f} nats {'worse' if each['mean'] > 0 else 'better'} than {paper} "
        f"({interval(each)}, on this text)."
        for each in clear
    ] + [f"{each['cell']}: no clear difference from {paper}." for each in measure["differences"] if not each["clear"]]


def difference(value: float) -> str:
    """`+0.012`, with a true minus sign; a zero has none."""
    return signed(f"{value:+.3f}") if abs(value) >= 0.0005 else "0.000"


def interval(one: Mapping[str, Any]) -> str:
    """`+0.012 to +0.034`; a dash where there is none."""
    return "–" if one["low"] is None else f"{difference(one['low'])} to {difference(one['high'])}"
