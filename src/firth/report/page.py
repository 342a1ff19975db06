"""The HTML page out of `report.json`: templates, style and charts in one file that asks nothing of a network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from firth.progress import compact
from firth.report.charts import bert_charts, word_charts
from firth.report.collect import SUITES, plain
from firth.report.say import capital, extent, hundredfold, measured, number, percent, score, section, signed, spoken
from firth.report.svg import sense_swatch

SUITE_OF_BERT = {"mlm": "Masked words: nats below piece frequencies"}


def render(report: Mapping[str, Any], *, data: str, run: Mapping[str, Any] | None = None) -> str:
    """The page.

    Args:
        report: What `collect` returned.
        data: Relative address of the project's `data` folder, as seen from where the page will lie.
        run: What is known only after the stage: see `firth.report.final.render`. None leaves those sections out.
    """
    return (
        templates()
        .get_template("page.html")
        .render(
            report=report,
            run=run,
            data=data,
            models=[(name, report["models"][name]) for name in report["order"]],
            suites=SUITES,
            suite_titles=SUITES | SUITE_OF_BERT | {task["task"]: task["title"] for task in report["tasks"]},
            headline=_headline(report),
            run_of={str(one["stage"]).removeprefix("word2vec@"): one for one in (run or {}).get("runs", [])},
            evaluation_of={(one["task"], one["system"]): one for one in (run or {}).get("evaluations", [])},
            charts=word_charts(report) | bert_charts(report),
        )
    )


def templates() -> Environment:
    """The pages' templates, with what they all use: filters, and what their content policies let run."""
    found = Environment(
        loader=PackageLoader("firth.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {
        "number": number,
        "score": score,
        "percent": percent,
        "compact": compact,
        "signed": signed,
        "spoken": spoken,
        "section": section,
        "plain": plain,
        "measured": measured,
        "capital": capital,
        "hundredfold": hundredfold,
        "extent": extent,
    }
    found.globals |= {
        "swatch": sense_swatch,
        "style_hash": _csp_hash("style.css"),
        "script_hash": _csp_hash("theme.js"),
    }
    return found


def _headline(report: Mapping[str, Any]) -> list[str]:
    """One sentence a word vector model on its size, one for all where they agree; and one on BERT."""
    sizes: dict[str, list[str]] = {}
    for name in report["order"]:
        model = report["models"][name]
        said = f"learned vectors of {model['dim']} numbers for {model['vocabulary']:,} words"
        if model["epochs"]:
            said += f", reading the text {'once' if model['epochs'] == 1 else str(model['epochs']) + ' times'}"
        sizes.setdefault(said, []).append(model["label"])
    said_of_words = [
        f"{' and '.join(labels)} {'each ' if len(labels) > 1 else ''}{said}." for said, labels in sizes.items()
    ]
    bert = report["bert"]
    learned = f"{bert['label']}, {number(bert['shape']['layers'])} layers with {spoken(bert['parameters'])} parameters"
    return [*said_of_words, f"{learned}, learned from {spoken(bert['tokens'])} word pieces with blanks to fill."]


def _csp_hash(name: str) -> str:
    """The hash under which the page's own content policy lets its inline style or script run, and no other."""
    content = (resources.files("firth.report") / "templates" / name).read_bytes()
    return "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode()
