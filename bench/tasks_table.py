"""What `bench.tasks` writes and prints: a record for each set and system, one table of the records of several calls."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from firth.errors import DataError
from firth.tasks.evaluation.in_words import failures
from firth.tasks.examples.named import official_set

Record = dict[str, Any]
"""As every bench writes them; `set`, `system`, `tie` and `failed` beside that, which the table needs."""


def head(name: str, results: Mapping[str, Any]) -> str:
    """A set in the table's head: how much of it was there."""
    rows = official_set(name).rows
    sides = [
        f"{results['examples'][side]:,}" + ("" if results["examples"][side] == rows[side] else f" of {rows[side]:,}")
        for side in ("train", "dev")
    ]
    return f"{results['title'].removeprefix('GLUE: ')} ({' / '.join(sides)})"


def rows_of(name: str, results: Mapping[str, Any]) -> list[Record]:
    """The records of one set; the peer is the answer that needs no encoder."""
    majority, title = results["majority"]["score"], head(name, results)
    return [
        {
            "case": f"{title}: {system['label']}",
            "metric": results["metric"],
            "ours": system["score"],
            "peer": majority,
            "ratio": system["score"] / majority if majority else None,
            "runs": [[seed, majority] for seed in system["seeds"]],
            "set": title,
            "system": system["label"],
            "tie": system["tie_with_majority"],
            "failed": failures(system),
        }
        for system in results["systems"]
    ]


def read(paths: Iterable[Path]) -> list[Record]:
    """The records in the files, one after the other."""
    records: list[Record] = []
    for path in paths:
        try:
            records += json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"no records of bench.tasks: {error}", path) from None
    return records


def cell(record: Record) -> str:
    """Median, deviation over the seeds, and what failed."""
    seeds = [ours for ours, _ in record["runs"]]
    spread = f" ± {100 * statistics.stdev(seeds):.1f}" if len(seeds) > 1 else ""
    failed = ", ".join(f"{count} {how}" for how, count in record["failed"].items())
    tie = " ≈" if record["tie"] else ""
    return f"{100 * record['ours']:.1f}{spread}{tie}" + (f" ({failed})" if failed else "")


def table(records: Sequence[Record]) -> str:
    """Rows of systems with the number of their seeds, columns of sets; times 100. Of equal cases the last counts."""
    cases = {(record["system"], record["set"]): record for record in records}
    sets, systems = (list(dict.fromkeys(record[key] for record in records)) for key in ("set", "system"))
    of_set = {record["set"]: record for record in records}
    lines = [
        "| | seeds | " + " | ".join(sets) + " |",
        "|---|---|" + "---|" * len(sets),
        "| *metric* | | " + " | ".join(str(of_set[name]["metric"]) for name in sets) + " |",
        "| without an encoder | | " + " | ".join(f"{100 * of_set[name]['peer']:.1f}" for name in sets) + " |",
    ]
    for system in systems:
        row = [cases.get((system, name)) for name in sets]
        counts = sorted({len(record["runs"]) for record in row if record is not None})
        seeds = " or ".join(map(str, counts))
        cells = ["–" if record is None else cell(record) for record in row]
        lines.append(f"| {system} | {seeds} | {' | '.join(cells)} |")
    return "\n".join(lines)
