"""What the registry holds and what a promotion decided, as data and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firth.choices import BERT_SUITES, WORD_SUITES
from firth.registry.gate import Row
from firth.registry.promote import Promotion
from firth.registry.versions import SCORES_TAG, VERDICT_TAG, all_versions, scores_of
from firth.tracking.store import Store, open_store

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

DASH = "–"
OWN_SUITES = (*WORD_SUITES, *BERT_SUITES)
"""In this order, before the tasks."""
BESIDE = 7
"""Suites in a table: the demo's fit a terminal of 80 columns."""


@dataclass(frozen=True)
class Listed:
    """One version as `firth models` lists it; `scores` by suite, None where not measured."""

    name: str
    version: str
    aliases: list[str]
    verdict: str
    scores: dict[str, float | None]
    run_id: str


def registered(root: Path | None = None, store: Store | None = None) -> list[Listed]:
    """All versions of all models, newest first within a name."""
    opened = store or open_store(root)
    rows = []
    for model in opened.client.search_registered_models():
        for version in all_versions(opened, model.name):
            if SCORES_TAG not in version.tags:
                continue
            scores = scores_of(version)
            rows.append(
                Listed(
                    name=model.name,
                    version=str(version.version),
                    # read from the model: a search over versions does not fill in aliases
                    aliases=sorted(name for name, held in model.aliases.items() if str(held) == str(version.version)),
                    verdict=version.tags.get(VERDICT_TAG, "undecided"),
                    scores={suite: scores.value(suite) for suite in scores.suites},
                    run_id=str(version.run_id),
                )
            )
    return rows


def models_table(rows: Sequence[Listed]) -> Group:
    """`registered` as tables for each model: they are not all measured on the same suites."""
    from rich.console import Group

    names = dict.fromkeys(row.name for row in rows)
    return Group(*(part for name in names for part in _versions(name, [row for row in rows if row.name == name])))


def _versions(name: str, rows: Sequence[Listed]) -> Iterator[Table]:
    """What the versions are with the first suites, then further suites, as many as fit beside each other."""
    found = {suite for row in rows for suite in row.scores}
    suites = [*(suite for suite in OWN_SUITES if suite in found), *sorted(found - set(OWN_SUITES))]
    for start in range(0, max(len(suites), 1), BESIDE):
        table = _table(name if start == 0 else None, "", *(["aliases", "verdict"] if start == 0 else []))
        part = suites[start : start + BESIDE]
        for suite in part:  # three digits and headings in two lines
            table.add_column(suite, min_width=5, overflow="fold", justify="right")
        for row in rows:
            aliases = "\n".join(f"@{alias}" for alias in row.aliases)
            state = [aliases or DASH, row.verdict] if start == 0 else []
            numbers = [DASH if row.scores.get(suite) is None else f"{row.scores[suite]:.3f}" for suite in part]
            table.add_row(f"v{row.version}", *state, *numbers)
        yield table


def decisions_table(promotions: Sequence[Promotion]) -> Group:
    """Numbers as a table, one line a suite, and below it each verdict with its reasons."""
    from rich.console import Group
    from rich.text import Text

    table = _table("Promotion", "model", "suite", "challenger", "champion", "minimum")
    lines = []
    for item in promotions:
        for place, row in enumerate(item.decision.numbers):
            numbers = (number(row.challenger), held(row), number(row.minimum))
            table.add_row(item.name if place == 0 else "", row.suite, *numbers)
        why = "; ".join(item.decision.reasons)
        lines.append(Text(f"{item.name} version {item.version}: {item.decision.verdict} ({why})"))
    return Group(table, *lines) if table.row_count else Group(*lines)


def _table(title: str | None, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, collapse_padding=True)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def held(row: Row) -> str:
    """The champion's score, or that it cannot stand beside the challenger's."""
    return "not comparable" if row.other else number(row.champion)


def number(value: float | None) -> str:
    return DASH if value is None else f"{value:.4f}"
