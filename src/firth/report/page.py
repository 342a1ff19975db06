"""The HTML page out of `report.json`: templates, style and charts in one file that asks nothing of a network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from firth.progress import compact
from firth.report.collect import SUITES
from firth.report.svg import antonym_chart, interval_chart, loss_chart, map_chart, relation_chart


def render(report: Mapping[str, Any], *, data: str, run: Mapping[str, Any] | None = None) -> str:
    """The page.

    Args:
        report: What `collect` returned.
        data: Relative address of the project's `data` folder, as seen from where the page will lie.
        run: What is known only after the stage: see `firth.report.final.render`. None leaves those sections out.
    """
    templates = Environment(
        loader=PackageLoader("firth.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {
        "number": number,
        "score": score,
        "percent": percent,
        "compact": compact,
        "signed": signed,
        "spoken": spoken,
        "section": section,
    }
    return templates.get_template("page.html").render(
        report=report,
        run=run,
        data=data,
        models=[(name, report["models"][name]) for name in report["order"]],
        suites=SUITES,
        headline=_headline(report),
        charts=_charts(report),
        style_hash=_csp_hash("style.css"),
        script_hash=_csp_hash("theme.js"),
    )


def number(value: float | None) -> str:
    """`1,967,000`; an en dash for nothing."""
    return "–" if value is None else f"{value:,.0f}"


def score(value: float | None) -> str:
    """A correlation or cosine, `0.512`, with a true minus sign."""
    return "–" if value is None else signed(f"{value:.3f}")


def percent(value: float | None) -> str:
    """A share, `12.5 %`."""
    return "–" if value is None else f"{100 * value:.1f} %"


def spoken(value: float) -> str:
    """A large number for a headline: `3.28 million`."""
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return number(value)


def section(name: str) -> str:
    """A section of the analogy file as people write it: `gram3-comparative` is `comparative`."""
    return re.sub(r"^gram\d+-", "", name).replace("-", " ")


def signed(text: str) -> str:
    """Hyphen-minus as a minus sign."""
    return text.replace("-", "−")


def _headline(report: Mapping[str, Any]) -> list[str]:
    """One sentence a model on its size; one for all where they agree."""
    sizes: dict[str, list[str]] = {}
    for name in report["order"]:
        model = report["models"][name]
        said = f"learned vectors of {model['dim']} numbers for {model['vocabulary']:,} words"
        if model["epochs"]:
            said += f", reading the text {'once' if model['epochs'] == 1 else str(model['epochs']) + ' times'}"
        sizes.setdefault(said, []).append(model["label"])
    return [f"{' and '.join(labels)} {'each ' if len(labels) > 1 else ''}{said}." for said, labels in sizes.items()]


def _charts(report: Mapping[str, Any]) -> dict[str, Any]:
    models = {name: report["models"][name] for name in report["order"]}
    return {
        "loss": {name: loss_chart(f"loss-{name}", model["label"], model["loss"]) for name, model in models.items()},
        "antonyms": {
            name: antonym_chart(f"antonyms-{name}", name, model["label"], model["antonyms"])
            for name, model in models.items()
        },
        "map": {name: map_chart(f"map-{name}", model["label"], model["map"]) for name, model in models.items()},
        "relations": {
            name: [
                relation_chart(f"relation-{name}-{i}", name, model["label"], relation)
                for i, relation in enumerate(model["relations"])
            ]
            for name, model in models.items()
        },
        "analogies": _analogy_chart(models),
        "similarity": _similarity_chart(models),
    }


def _analogy_chart(models: Mapping[str, Mapping[str, Any]]) -> Markup:
    named: dict[str, list[dict[str, Any]]] = {}
    totals: dict[str, int] = {}
    for name, model in models.items():
        for row in model["sections"]:
            marks = named.setdefault(row["name"], [])
            totals[row["name"]] = row["total"]
            if row["accuracy"] is not None:
                marks.append(_mark(name, model, row["accuracy"], row))
    if not named:
        return Markup("")
    rows: list[dict[str, Any]] = [
        {"name": section(name), "marks": marks, "note": f"none of {totals[name]:,} questions has all its words here"}
        for name, marks in named.items()
    ]
    top = max((mark["high"] for row in rows for mark in row["marks"]), default=1.0)
    limits = (0.0, min(1.0, max(0.1, top)))
    return interval_chart(
        "analogy-sections",
        "Analogies by section",
        rows,
        limits=limits,
        chance=None,
        show=lambda value: f"{value:.0%}",
    )


def _similarity_chart(models: Mapping[str, Mapping[str, Any]]) -> Markup:
    rows: list[dict[str, Any]] = []
    for suite in ("wordsim353", "simlex999"):
        marks = [
            _mark(name, model, found["score"], found)
            for name, model in models.items()
            if (found := model["scores"].get(suite)) and found["score"] is not None
        ]
        rows.append({"name": SUITES[suite], "marks": marks, "note": "not enough pairs have both words here"})
    if not any(row["marks"] for row in rows):
        return Markup("")
    ends = [mark[key] for row in rows for mark in row["marks"] for key in ("low", "high")]
    limits = (min(-0.1, *ends), max(0.6, *ends))
    return interval_chart(
        "similarity",
        "Word similarity",
        rows,
        limits=limits,
        chance=0.0,
        show=lambda value: signed(f"{value:.2f}".removesuffix(".00")),
    )


def _mark(name: str, model: Mapping[str, Any], value: float, interval: Mapping[str, Any]) -> dict[str, Any]:
    low, high = (value if interval[key] is None else interval[key] for key in ("low", "high"))
    return {"model": name, "label": model["label"], "score": value, "low": low, "high": high}


def _csp_hash(name: str) -> str:
    """The hash under which the page's own content policy lets its inline style or script run, and no other."""
    content = (resources.files("firth.report") / "templates" / name).read_bytes()
    return "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode()
