"""How a BERT came down: a table and a figure of one training, finished or still under way.

    python -m bench.converging data/models/bert/history.json --figure converging.svg
    python -m bench.converging .firth/runs/bert/RUN/metrics.jsonl

Reads the history that a model folder holds, or the metrics that a training writes as it goes. The loss of word
frequencies, which a model that never looks at the context would have, is drawn beside the loss; next-sentence accuracy
beside the interval in which 95 % of guesses land.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from firth.errors import DataError
from firth.report.pretraining import chance

ROWS = 12
"""Lines of the table, evenly spaced, the last look always among them."""


class Look(NamedTuple):
    """One look at held-out text."""

    step: int
    mlm_loss: float
    unigram_loss: float
    mlm_accuracy: float
    nsp_accuracy: float


class Training(NamedTuple):
    """Training loss by step, the looks, and where guesses of the next sentence land."""

    loss: list[tuple[int, float]]
    looks: list[Look]
    guessing: tuple[float, float]


def read(path: Path, instances: int) -> Training:
    """The curves in a `history.json` or a `metrics.jsonl`; `DataError` where there are none.

    `instances` are the pairs of a look where the file does not say: always giving the commoner answer is a guess too,
    but only `history.json` knows which that is.
    """
    text = path.read_text(encoding="utf-8")
    try:
        rows = [_flat(json.loads(line)) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)
        loss = [(int(row["step"]), float(row["mlm_loss"])) for row in rows if "mlm_loss" in row]
        looks = [
            Look(int(row["step"]), *(float(row["heldout"][name]) for name in Look._fields[1:]))
            for row in rows
            if row.get("heldout")
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"no history of a training: {error!r}", path) from error
    if not looks:
        raise DataError("the training has not looked at held-out text yet", path)
    last = next(row["heldout"] for row in reversed(rows) if row.get("heldout"))
    guessing = chance(int(last.get("instances", instances)), float(last.get("nsp_majority", 0.5)))
    return Training(loss, looks, guessing)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A line of `metrics.jsonl` in the form of a row of `history.json`."""
    metrics = row["metrics"]
    found = {name.removeprefix("train/"): value for name, value in metrics.items() if name.startswith("train/")}
    heldout = {name.removeprefix("heldout/"): value for name, value in metrics.items() if name.startswith("heldout/")}
    return {"step": row["step"], **found, **({"heldout": heldout} if heldout else {})}


def table(looks: Sequence[Look], guessing: tuple[float, float]) -> str:
    """Markdown: loss, gain over word frequencies, accuracy, next sentences."""
    low, high = guessing
    lines = [
        "| step | held-out loss of masked words, nats | gain over frequencies | words guessed | next sentence |",
        "|---|---|---|---|---|",
    ]
    every = max(1, len(looks) // ROWS)
    for look in [*looks[every - 1 : -1 : every], looks[-1]]:
        mark = "" if look.nsp_accuracy > high else " (chance)"
        lines.append(
            f"| {look.step:,} | {look.mlm_loss:.3f} | {look.unigram_loss - look.mlm_loss:.3f} "
            f"| {look.mlm_accuracy:.1%} | {look.nsp_accuracy:.1%}{mark} |"
        )
    return "\n".join([*lines, "", f"Guessing the next sentence comes to {low:.1%} … {high:.1%} (95 %)."])


def draw(training: Training, path: Path) -> None:
    """Both curves side by side, as SVG, with the same bytes for the same numbers."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import PercentFormatter

    with mpl.rc_context(
        {"svg.hashsalt": "firth", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11}
    ):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.0), layout="constrained")
        steps = [look.step for look in training.looks]
        left.plot(*zip(*training.loss, strict=True), color="#b9a3d6", linewidth=0.8, label="training")
        held = [look.mlm_loss for look in training.looks]
        left.plot(steps, held, color="#5b2a86", marker="o", markersize=3.5, label="held-out")
        left.axhline(training.looks[-1].unigram_loss, color="#777777", linestyle="--", label="word frequencies")
        left.set(title="Masked words", xlabel="steps", ylabel="loss, nats")
        left.annotate(f"{held[-1]:.3f}", (steps[-1], held[-1]), xytext=(4, 6), textcoords="offset points")
        low, high = training.guessing
        right.axhspan(low, high, color="#dddddd", label="guessing, 95 %")
        accuracy = [look.nsp_accuracy for look in training.looks]
        right.plot(steps, accuracy, color="#5b2a86", marker="o", markersize=3.5, label="held-out")
        right.annotate(f"{accuracy[-1]:.1%}", (steps[-1], accuracy[-1]), xytext=(4, 6), textcoords="offset points")
        right.set(title="Next sentence", xlabel="steps", ylabel="share of right answers")
        right.yaxis.set_major_formatter(PercentFormatter(1.0))
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", color="#eeeeee")
            axes.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    """Print the table; write the figure and JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("history", type=Path, help="history.json of a model or metrics.jsonl of a run")
    parser.add_argument("--instances", type=int, default=2048, help="held-out pairs of a look (bert.heldout.instances)")
    parser.add_argument("--figure", type=Path, help="write the curves there as SVG")
    parser.add_argument("--json", type=Path, help="write the looks there")
    options = parser.parse_args()
    training = read(options.history, options.instances)
    print(table(training.looks, training.guessing))
    if options.figure:
        draw(training, options.figure)
    if options.json:
        rows = [look._asdict() for look in training.looks]
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
