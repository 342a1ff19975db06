"""Great Expectations as the judge of two small tables: the statistics row, and the sampled documents."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from firth.validation.expectations import Expectation, number, percent
from firth.validation.statistics import EXAMPLES, Example, Statistics

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

About = Literal["statistics", "sample"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One expectation, judged."""

    name: str
    about: About
    column: str
    expected: str
    observed: float | None
    """The statistic's value; of a sampled column, the share of documents that meet it (None: none to judge)."""
    success: bool
    examples: list[Example]

    @property
    def seen(self) -> str:
        """`observed` in words."""
        if self.observed is None:
            return "none to judge"
        return number(self.observed) if self.about == "statistics" else f"{percent(self.observed)} of documents"

    def as_json(self) -> dict[str, Any]:
        """One entry of `results.json`."""
        return {
            "name": self.name,
            "column": self.column,
            "expected": self.expected,
            "observed": self.observed,
            "success": self.success,
            "examples": self.examples,
        }


def judge(
    expected: Sequence[Expectation], statistics: Statistics, sample: list[dict[str, Any]]
) -> tuple[list[Judgement], dict[About, ExpectationSuiteValidationResult]]:
    """The judgements in the order of `expected`, and what Great Expectations says about each table."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the package is imported
    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("corpus")
    rows = [{entry.column: statistics.total[entry.column] for entry in expected if entry.about == "statistics"}]
    # Ids come from the data and end up in HTML that Great Expectations does not escape.
    by_id = {html.escape(row["doc_id"]): row for row in sample}
    looked_at = [{**row, "doc_id": html.escape(row["doc_id"])} for row in sample]
    columns = ["doc_id", *(entry.column for entry in expected if entry.about == "sample")]
    frames = {"statistics": pd.DataFrame(rows), "sample": pd.DataFrame(looked_at, columns=columns)}

    results: dict[About, ExpectationSuiteValidationResult] = {}
    abouts: tuple[About, ...] = ("statistics", "sample")
    for about in abouts:
        definition = source.add_dataframe_asset(about).add_batch_definition_whole_dataframe("all")
        suite = gx.ExpectationSuite(about)
        for entry in expected:
            if entry.about == about:
                suite.add_expectation(_as_gx(entry))
        form: dict[str, Any] = {"result_format": "COMPLETE"}
        if about == "sample":
            form["unexpected_index_column_names"] = ["doc_id"]
        results[about] = definition.get_batch({"dataframe": frames[about]}).validate(suite, result_format=form)

    found: dict[str, Any] = {}
    for of in results.values():
        found |= {result.expectation_config.meta["name"]: result for result in of.results if result.expectation_config}
    return [_judgement(entry, found[entry.name], statistics, by_id) for entry in expected], results


def _as_gx(entry: Expectation) -> Any:
    from great_expectations.expectations.core.expect_column_max_to_be_between import ExpectColumnMaxToBeBetween
    from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween

    settings: dict[str, Any] = {
        "column": entry.column,
        "min_value": entry.low,
        "max_value": entry.high,
        "meta": {"name": entry.name},
        "description": f"{entry.name}: {entry.expected}",
    }
    if entry.about == "statistics":
        # One row: its largest value is its value, and unlike a row-wise expectation this one reports it.
        return ExpectColumnMaxToBeBetween(**settings)
    return ExpectColumnValuesToBeBetween(**settings, mostly=entry.mostly)


def _judgement(entry: Expectation, result: Any, statistics: Statistics, by_id: dict[str, dict[str, Any]]) -> Judgement:
    success, details = bool(result.success), result.result
    examples: list[Example] = []
    observed: float | None
    if entry.about == "statistics":
        observed = statistics.total[entry.column]
        if not success and entry.cause:
            examples = statistics.examples.get(entry.cause, [])
    else:
        judged = details["element_count"] - details["missing_count"]
        observed = round(1 - details["unexpected_count"] / judged, 6) if judged else None
        if not success:
            rows = [by_id[found["doc_id"]] for found in details["unexpected_index_list"][:EXAMPLES]]
            examples = [{"doc_id": row["doc_id"], "text": row["excerpts"][entry.column]} for row in rows]
    return Judgement(entry.name, entry.about, entry.column, entry.expected, observed, success, examples)
