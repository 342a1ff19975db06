"""Data Docs as three static pages: a summary of ours, and Great Expectations' own sections in our frame.

Great Expectations' page needs five content networks, prints when it ran and draws random element ids. So only its
sections are rendered by its own renderer and view; the frame, the stylesheet and the summary are ours. The pages run no
script, ask no other host, and are the same bytes every time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from firth.validation.expectations import number, percent
from firth.validation.statistics import Statistics

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

    from firth.validation.judge import About, Judgement

INTRODUCTIONS: dict[str, str] = {
    "statistics": "Exact values, counted over every document of the corpus.",
    "sample": "Documents drawn by a seeded hash of their ids, each judged by itself.",
}


def render(
    corpus: str,
    judgements: Sequence[Judgement],
    statistics: Statistics,
    results: Mapping[About, ExpectationSuiteValidationResult],
    sampled: int,
) -> dict[str, str]:
    """`index.html`, `statistics.html` and `sample.html`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("firth.validation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["percent"] = percent
    style = (resources.files("firth.validation") / "templates" / "style.css").read_text(encoding="utf-8")
    failed = [judgement for judgement in judgements if not judgement.success]
    common = {"corpus": corpus, "style": Markup(style), "failed": failed, "judgements": judgements}  # noqa: S704 — our own file
    pages = {
        "index.html": environment.get_template("index.html.j2").render(
            **common, page="index", statistics=statistics, sampled=sampled, bars=_bars(statistics.histogram)
        )
    }
    for about, result in results.items():
        sections = [
            {"name": section["section_name"], "html": Markup(_section(section, index))}  # noqa: S704 — escaped in judge.py
            for index, section in enumerate(_sections(result), start=1)
        ]
        pages[f"{about}.html"] = environment.get_template("sections.html.j2").render(
            **common,
            page=about,
            introduction=INTRODUCTIONS[about],
            sections=sections,
            evaluated=len(result.results),
            passed=sum(bool(one.success) for one in result.results),
        )
    return pages


def _sections(result: ExpectationSuiteValidationResult) -> list[dict[str, Any]]:
    """Great Expectations' sections, one a column, without the overview (run time, batch ids, dead links)."""
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    for one in result.results:
        one.result.pop("unexpected_index_query", None)  # pandas code for a table that the reader does not have
        if "observed_value" in one.result:  # its renderer chokes on NumPy's scalars and asks the locale
            one.result["observed_value"] = number(one.result["observed_value"])
    document = ValidationResultsPageRenderer().render(result).to_json_dict()
    sections: list[dict[str, Any]] = document["sections"]
    return [section for section in sections if section["section_name"] != "Overview"]


def _section(section: dict[str, Any], index: int) -> str:
    """One section as Great Expectations' own view writes it."""
    from great_expectations.render.view.view import DefaultJinjaSectionView

    view: Any = DefaultJinjaSectionView()
    html: str = view.render({"section": section, "section_loop": {"index": index}})
    return "\n".join(line.strip() for line in html.splitlines() if line.strip())


def _bars(histogram: Sequence[Mapping[str, int]]) -> list[dict[str, Any]]:
    """The bins from the first to the last that holds documents, with their part of the highest."""
    filled = [index for index, one in enumerate(histogram) if one["documents"]]
    if not filled:
        return []
    highest = max(one["documents"] for one in histogram)
    return [
        {
            "label": number(one["from"]) if one["from"] == one["to"] else f"{one['from']:,}–{one['to']:,}",
            "documents": one["documents"],
            "part": round(one["documents"] / highest, 4),
        }
        for one in histogram[filled[0] : filled[-1] + 1]
    ]
