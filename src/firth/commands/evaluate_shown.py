"""`firth evaluate`: what a person sees, a table of at most 100 columns and a few lines below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from firth.tasks.evaluation.in_words import how_scored, protocol_in_words
from firth.tasks.examples.files import SIDES
from firth.tasks.official.results import row_count

FROZEN = "Heads were trained on frozen encoders; --mode finetuned trains the encoders with them."


def show(results: Mapping[str, Any]) -> None:
    """The table, what it is of, how much of an official set that is, and by which protocol."""
    counts = results["examples"]
    Console().print(table(results))
    print(f"majority: {results['majority']['what']}.")
    print(
        f"{results['title']}: {counts['train']} training examples, {counts['dev']} to score on. "
        "In brackets: 95% bootstrap interval over these."
    )
    if "official" in results:
        print(f"{results['official']['name']}: {_how_much(counts, results['official'])}.")
    print(protocol_in_words(results["settings"]))


def table(results: Mapping[str, Any]) -> Table:
    """One row for the answer without an encoder, one a system."""
    made = Table(box=None, pad_edge=False)
    made.add_column("", overflow="fold")
    made.add_column(results["metric"].replace("_", "_\n"), justify="right", no_wrap=True)
    made.add_column("95%", no_wrap=True)
    made.add_column("seeds: least\n… greatest", no_wrap=True)
    made.add_column("score of")
    made.add_column("beside\nmajority", no_wrap=True)
    baseline = results["majority"]
    made.add_row("majority", f"{baseline['score']:.3f}", style="dim")
    for system in results["systems"]:
        verdict = "above" if system["score"] > baseline["score"] else "below"
        made.add_row(
            system["system"],
            f"{system['score']:.3f}",
            rf"\[{system['low']:.3f}, {system['high']:.3f}]",
            _spread(system),
            _lines(how_scored(system)),
            "≈ majority" if system["tie_with_majority"] else verdict,
        )
    return made


def _spread(system: Mapping[str, Any]) -> str:
    """Least and greatest score of the seeds; nothing of one."""
    seeds = system["seeds"]
    return f"{min(seeds):.3f} … {max(seeds):.3f}" if len(seeds) > 1 else ""


def _lines(said: str) -> str:
    """What failed, what is left out and what was chosen in lines of their own: the column stays narrow."""
    return said.replace("; ", "\n").replace(" that ended", "\nthat ended").replace(", epoch", ",\nepoch")


def _how_much(counts: Mapping[str, int], official: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{side} {row_count(counts[side], official[side])}"
        if official[side] is not None
        else f"{side} {counts[side]:,} (not the official {side} side)"
        for side in SIDES
    )
