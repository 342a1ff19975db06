"""Tasks of official data sets in a project for the report: entries in its parameters, examples, made-up scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from tests.support.bert_project import ANSWERS, write_lines, write_task

from firth.canonical import read_json, write_json
from firth.tasks.examples.describe import MODELS
from firth.tasks.examples.named import entry_of, official_set

DETAILS = {
    "text": ("accuracy", "f1", "matthews"),
    "pair": ("accuracy", "f1", "matthews"),
    "span": ("f1", "exact"),
    "tagging": ("entity_f1", "entity_precision", "entity_recall", "accuracy"),
    "number": ("pearson_spearman", "pearson", "spearman"),
    "choice": ("accuracy",),
}
"""The metrics of each kind, as an evaluation has them all."""


def add_official(root: Path, name: str, official: str, **given: Any) -> None:
    """The set called `official` as task `name`: 2,500 examples or all to learn from, the whole dev side.

    Args:
        root: the project.
        name: of the task.
        official: as `firth task add --official` knows it.
        given: `systems` in place of the five that `write_task` has; `examples` by side; `dev`, the name of the dev
            file, None for a share of train; `metric`; `majority`.
    """
    found = official_set(official)
    dev = given.get("dev", f"{found.begins['dev']}{found.ending}")
    entry = entry_of(found) | {"train": _pin(f"{found.begins['train']}{found.ending}")}
    entry |= {"dev": _pin(dev)} if dev else {}
    entry |= {"metric": given["metric"]} if "metric" in given else {}
    path = root / "params.yaml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    tree["tasks"][name] = entry
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    task = MODELS[entry["kind"]].model_validate(entry).model_dump()
    write_task(root / "data", name, task, "")
    results = root / "data" / "tasks" / name / "results.json"
    known = read_json(results)
    rows = {"train": min(2500, found.rows["train"]), "dev": found.rows["dev"]}
    kept = {"examples": given.get("examples", rows), "majority": given.get("majority", known["majority"])}
    systems = given.get("systems", known["systems"])
    for row in systems:
        row["details"] = dict.fromkeys(DETAILS[task["kind"]], row["score"] - 0.01) | row["details"]
        row["details"][task["metric"]] = row["score"]
        answers = [{"id": f"{name}-{i:02d}", "predicted": ANSWERS[task["kind"]][i % 3 > 0]} for i in range(30)]
        write_lines(root / "data" / "tasks" / name / f"predictions-{row['system']}.jsonl", answers)
    write_json(results, known | kept | {"systems": systems})


def system(name: str, encoder: str, label: str, seeds: list[float], tie: bool = False, **more: Any) -> dict[str, Any]:
    """A row of `results.json`: its score is the median of an odd number of seeds."""
    score = sorted(seeds)[len(seeds) // 2]
    row: dict[str, Any] = {
        "system": name, "encoder": encoder, "mode": "finetuned" if "finetuned" in name else "frozen", "label": label,
        "score": score, "low": score - 0.03, "high": score + 0.03, "seeds": seeds, "tie_with_majority": tie,
        "details": {"constant": False},
    }  # fmt: skip
    if name.endswith(("-finetuned", "-bilstm")):
        runs = [{"seed": seed, "score": found, "collapsed": False} for seed, found in enumerate(seeds, start=1)]
        row |= {"runs": runs, "score_is": "median"}
    return row | more


def _pin(path: str) -> dict[str, str]:
    return {"kind": "files", "path": f"official/{path}", "sha256": "7" * 64}
