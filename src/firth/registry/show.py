"""What the registry holds and what a promotion decided, as data and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from firth.choices import BERT_SUITES, WORD_SUITES
from firth.registry.gate import Row
from firth.registry.promote import Promotion
from firth.registry.versions import SCORES_TAG, VERDICT_TAG, all_versions, scores_of
from firth.tracking.store import Store, open_store

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, Group
    from rich.table import Table

DASH = "–"
OWN_SUITES = (*WORD_SUITES, *BERT_SUITES)
"""In this order, before the tasks."""
DIGITS = len("-0.123")
BETWEEN = 2
"""Columns of the terminal between two of a table."""


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


@dataclass(frozen=True)
class ModelsTable:
    """`registered` as tables for each model, which are not all measured on the same suites; as wide as the terminal."""

    rows: Sequence[Listed]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """What rich prints."""
        for name in dict.fromkeys(row.name for row in self.rows):
            yield from _versions(name, [row for row in self.rows if row.name == name], options.max_width)


def _versions(name: str, rows: Sequence[Listed], width: int) -> Iterator[Table]:
    """What the versions are with the first suites, then further suites, as many as fit beside each other."""
    found = {suite for row in rows for suite in row.scores}
    waiting = [*(suite for suite in OWN_SUITES if suite in found), *sorted(found - set(OWN_SUITES))]
    versions = {"": [f"v{row.version}" for row in rows]}
    aliases = ["\n".join(f"@{alias}" for alias in row.aliases) or DASH for row in rows]
    state = {"aliases": aliases, "verdict": [row.verdict for row in rows]}
    title: str | None = name
    while state or waiting:
        said = versions | state
        suites = _fitting(waiting, width - sum(_widest([head, *cells]) + BETWEEN for head, cells in said.items()))
        table = _table(title, *said)
        for suite in suites:
            table.add_column(suite, min_width=DIGITS, overflow="fold", justify="right")
        for row, *cells in zip(rows, *said.values(), strict=True):
            scores = [DASH if row.scores.get(suite) is None else f"{row.scores[suite]:.3f}" for suite in suites]
            table.add_row(*cells, *scores)
        yield table
        waiting, state, title = waiting[len(suites) :], {}, None


def _fitting(suites: Sequence[str], width: int) -> list[str]:
    """The first of `suites`, as many as have room, one at least."""
    ends = accumulate(max(DIGITS, len(suite)) + BETWEEN for suite in suites)
    return list(suites[: max(1, sum(end <= width for end in ends))])


def _widest(cells: Iterable[str]) -> int:
    return max(len(line) for cell in cells for line in cell.split("\n"))


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
