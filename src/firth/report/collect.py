"""Everything the page says, as one JSON value: `report.json`. The page is drawn from this value and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import firth
from firth.canonical import dumps
from firth.config.corpora import Corpora
from firth.config.evaluation import Report as ReportParams
from firth.config.load import flatten
from firth.report.inputs import Inputs, Model
from firth.report.plane import relations, word_map
from firth.report.scores import curve, examples, sections
from firth.report.similar import antonyms, neighbours

EXAMPLE_LENGTH = 180
SUITES = {"analogies": "Google analogies", "wordsim353": "WordSim-353", "simlex999": "SimLex-999"}


def collect(inputs: Inputs, corpora: Corpora, params: ReportParams) -> dict[str, Any]:
    """The numbers behind every section; see `docs/architecture.md` for where `report.json` lies."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return {
            "firth_version": firth.__version__,
            "corpora": _corpora(inputs, corpora),
            "drops": _drops(inputs),
            "validation": [_validation(result, inputs.documented) for result in inputs.validations],
            "models": {model.name: _model(model, inputs, params) for model in inputs.models},
            "order": [model.name for model in inputs.models],
            "neighbours": [
                {"word": word, "models": {model.name: neighbours(model, word) for model in inputs.models}}
                for word in params.neighbours
            ],
            "lineage": {
                "sources": {name: _source(source.model_dump()) for name, source in corpora.items()},
                "task_files": dict(inputs.results.get("digests", {})),
                "shards": [
                    {key: shard[key] for key in ("file", "documents", "words", "sha256")}
                    for shard in inputs.manifest["shards"]
                ],
            },
        }


def shorten(value: Any, length: int = EXAMPLE_LENGTH) -> str:
    """`value` as one line of at most `length` characters."""
    line = " ".join(str("" if value is None else value).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _drops(inputs: Inputs) -> list[dict[str, Any]]:
    """What was left out while reading the sources (words not counted) and while preparing the corpus."""
    rows = [
        {"step": "reading", "source": name, "words": None, **drop}
        for name, manifest in inputs.raw.items()
        for drop in manifest["drops"]
    ]
    rows += [{"step": "preparing", **drop} for drop in inputs.drops["table"]]
    return [dict(row, example=shorten(row.get("example"))) for row in rows]


def _corpora(inputs: Inputs, corpora: Corpora) -> list[dict[str, Any]]:
    rows = []
    for name, source in corpora.items():
        kept = inputs.drops["kept"].get(name, {"documents": 0, "words": 0, "train": 0, "heldout": 0})
        rows.append(
            {
                "name": name,
                "licence": source.licence,
                "attribution": source.attribution,
                "documents": kept["documents"],
                "words": kept["words"],
                "train": kept["train"],
                "heldout": kept["heldout"],
            }
        )
    return rows


def _validation(result: Mapping[str, Any], documented: frozenset[str]) -> dict[str, Any]:
    expectations = [
        {
            "name": row["name"],
            "column": row.get("column"),
            "expected": plain(row.get("expected")),
            "observed": plain(row.get("observed")),
            "success": bool(row["success"]),
            "examples": [
                {"doc_id": str(one.get("doc_id", "")), "text": shorten(one.get("text"))}
                for one in row.get("examples", [])[:3]
            ],
        }
        for row in result["expectations"]
    ]
    corpus = str(result["corpus"])
    return {
        "corpus": corpus,
        "success": bool(result["success"]),
        "expectations": expectations,
        "docs": f"validation/{corpus}/docs/index.html" if corpus in documented else None,
    }


def plain(value: Any) -> str:
    """A JSON value as a person would write it: `3.0, 8.0`, `0.0125`, `1,967,000`, `yes`."""
    if value is None or isinstance(value, bool):
        return {None: "–", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return shorten(value)


def _model(model: Model, inputs: Inputs, params: ReportParams) -> dict[str, Any]:
    results = inputs.results["models"].get(model.name, {})
    scores = {}
    for suite in SUITES:
        if suite in results:
            found = results[suite]
            scores[suite] = {key: found.get(key) for key in ("score", "low", "high", "covered", "total")}
    training = model.training
    return {
        "label": model.label,
        "vocabulary": len(model.words),
        "dim": int(model.unit.shape[1]),
        "words": training.get("words"),
        "epochs": training.get("epochs"),
        "parameters": {key: plain(value) for key, value in flatten(training.get("params", {})).items()},
        "fingerprint": training.get("fingerprint"),
        "vocabulary_sha256": training.get("vocabulary_sha256"),
        "loss": curve(model.history),
        "scores": scores,
        "sections": sections(results.get("analogies", {}).get("sections", {})),
        "examples": examples(inputs.predictions[model.name], model.index),
        "antonyms": antonyms(model, params.antonyms, params.seed),
        "map": word_map(model, params.map_words, params.seed),
        "relations": relations(model, params.relations),
    }


def _source(source: Mapping[str, Any]) -> dict[str, str]:
    """Where a corpus comes from: the keys that pin it, those that are set."""
    keys = ("kind", "package", "version", "dataset", "subset", "revision", "paths", "file", "member", "sha256")
    return {key: plain(source[key]) for key in keys if source.get(key)}


def to_bytes(report: Mapping[str, Any]) -> bytes:
    """`report.json`."""
    return dumps(dict(report)).encode()
