"""Final scores as they lie in `data/`, as small tables for the terminal and for the flow run's artifact.

Word vectors, BERT and the tasks are measured in different ways: each has a table of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firth.canonical import read_json
from firth.tasks.evaluation.in_words import protocol_in_words
from firth.tracking.evidence import MLM_METRIC

DASH = "–"
TIE = "≈"
WORD_ROWS = {
    "train/loss": "training loss",
    "heldout/loss": "held-out loss",
    "analogies": "analogies, accuracy",
    "wordsim353": "wordsim353, Spearman",
    "simlex999": "simlex999, Spearman",
}
SYSTEMS = {
    "skipgram": "skip-gram",
    "cbow": "CBOW",
    "random": "BERT untrained",
    "bert": "BERT",
    "reference": "reference",
}
TASKS_ABREAST = 4
"""Tasks in one table: so many, with their intervals, fit into 100 columns."""


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, rows of which the first cell is a name, and what explains them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def tables(folder: Path) -> list[Table]:
    """What the project at `folder` has scores for, in the order of the pipeline."""
    data = folder / "data"
    return [*_word_vectors(data), *_bert(data), *_tasks(data)]


def markdown(found: Sequence[Mapping[str, Any]]) -> str:
    """`tables` (as mappings) in Markdown."""
    parts = []
    for table in found:
        lines = ["| | " + " | ".join(table["columns"]) + " |", "|---|" + "---:|" * len(table["columns"])]
        lines += ["| " + " | ".join(row) + " |" for row in table["rows"]]
        parts += [f"### {table['title']}", "\n".join(lines)]
        if table["note"]:
            parts.append(table["note"])
    return "\n\n".join(parts)


def _word_vectors(data: Path) -> list[Table]:
    models: dict[str, dict[str, str]] = {}
    for path in sorted((data / "metrics").glob("word2vec-*.json"), reverse=True):  # skip-gram first
        model = path.stem.removeprefix("word2vec-")
        models[model] = {name: f"{value:#.4g}" for name, value in read_json(path).items() if name in WORD_ROWS}
    if not models:
        return []
    results = data / "tasks" / "words" / "results.json"
    suites = read_json(results)["models"] if results.is_file() else {}
    for model, row in models.items():
        row |= {suite: _interval(part, 3) for suite, part in suites.get(model, {}).items()}
    rows = [
        (label, *(row.get(name, DASH) for row in models.values()))
        for name, label in WORD_ROWS.items()
        if any(name in row for row in models.values())
    ]
    return [Table("Word vectors", tuple(models), tuple(rows))]


def _bert(data: Path) -> list[Table]:
    path = data / "metrics" / "bert.json"
    if not path.is_file():
        return []
    metrics = read_json(path)
    rows = [
        ("held-out loss of masked words, nats", _number(metrics.get("heldout/mlm_loss"))),
        ("gain over word frequencies, nats", _number(metrics.get(MLM_METRIC))),
        ("the same, only where [MASK] stands", _hidden(data)),
        ("words guessed", _number(metrics.get("heldout/mlm_accuracy"))),
    ]
    note = ""
    if metrics.get("heldout/nsp_accuracy") is not None:
        rows.append(("next sentence, accuracy", _number(metrics["heldout/nsp_accuracy"])))
        note = _chance(data / "models" / "bert" / "history.json")
    return [Table("BERT", ("bert",), tuple(row for row in rows if row[1] != DASH), note)]


def _hidden(data: Path) -> str:
    """The report measures it; it must be of the run that the metrics are of, whose report may not be drawn yet."""
    report, model = data / "report" / "report.json", data / "models" / "bert" / "training.json"
    if not (report.is_file() and model.is_file()):
        return DASH
    drawn = read_json(report)
    same = drawn.get("bert", {}).get("fingerprint") == read_json(model)["fingerprint"]
    return _number((drawn.get("hidden") or {}).get("gain")) if same else DASH


def _chance(history: Path) -> str:
    """Between which accuracies guessing lies in 95 of 100 cases."""
    looks = [row["heldout"] for row in read_json(history) if row.get("heldout")] if history.is_file() else []
    if not looks:
        return ""
    spread = 1.96 * math.sqrt(0.25 / looks[-1]["instances"])
    return f"Guessing the next sentence comes to {0.5 - spread:.3f} … {0.5 + spread:.3f} (95%)."


def _tasks(data: Path) -> list[Table]:
    found = [read_json(path) for path in sorted((data / "tasks").glob("*/results.json"))]
    tasks = [results for results in found if "systems" in results]
    return [_abreast(tasks[start : start + TASKS_ABREAST]) for start in range(0, len(tasks), TASKS_ABREAST)]


def _abreast(tasks: Sequence[Mapping[str, Any]]) -> Table:
    systems = dict.fromkeys(system["system"] for results in tasks for system in results["systems"])
    cells = [{system["system"]: _scored(system) for system in results["systems"]} for results in tasks]
    rows = [("majority", *(f"{results['majority']['score']:.2f}{' ' * 8}" for results in tasks))]
    rows += [(_label(system), *(column.get(system, DASH) for column in cells)) for system in systems]
    heads = tuple(f"{results['task']}, {results['metric']}" for results in tasks)
    ties = any(TIE in cell for row in rows for cell in row)
    note = f"± half of the 95% interval.{f' {TIE} may well be no better than the majority answer.' if ties else ''}"
    said = dict.fromkeys(protocol_in_words(results.get("settings", {})) for results in tasks)
    return Table("Tasks", heads, tuple(rows), "\n".join([note, *said]))


def _label(system: str) -> str:
    encoder, _, mode = system.partition("-")
    return SYSTEMS.get(encoder, encoder) + (f" {mode}" if mode else "")


def _scored(system: Mapping[str, Any]) -> str:
    half = (system["high"] - system["low"]) / 2
    return f"{system['score']:.2f} ±{half:.2f} {TIE if system['tie_with_majority'] else ' '}"


def _number(value: Any) -> str:
    return DASH if value is None else f"{value:.3f}"


def _interval(result: Mapping[str, Any], digits: int) -> str:
    score, low, high = result.get("score"), result.get("low"), result.get("high")
    if score is None:
        return DASH
    if low is None or high is None:
        return f"{score:.{digits}f}"
    return f"{score:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
