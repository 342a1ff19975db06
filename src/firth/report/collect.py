"""Everything the page says, as one JSON value: `report.json`. The page is drawn from this value and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import firth
from firth.canonical import dumps, value_sha256
from firth.config.corpora import Corpora
from firth.config.evaluation import Report as ReportParams
from firth.config.load import flatten
from firth.config.params import Params
from firth.report.beside import beside
from firth.report.hidden import hidden_words
from firth.report.inputs import MODEL_LABELS, Inputs, Model
from firth.report.plane import relations, word_map
from firth.report.pretraining import pretraining
from firth.report.reading import attention_map, fillings
from firth.report.scores import curve, examples, sections
from firth.report.senses import ambiguous
from firth.report.similar import antonyms, neighbours
from firth.report.tasks import task
from firth.tasks.words.antonyms import antonym_study

EXAMPLE_LENGTH = 180
BOOTSTRAP = 1000
SUITES = {"analogies": "Google analogies", "wordsim353": "WordSim-353", "simlex999": "SimLex-999"}


def collect(inputs: Inputs, params: Params, reference: Path | None = None) -> dict[str, Any]:
    """The numbers behind every section; see `docs/architecture.md` for where `report.json` lies.

    Args:
        inputs: What the stages left.
        params: All of `params.yaml`.
        reference: Model folder of the published encoder, where there is one to stand beside ours.
    """
    from threadpoolctl import threadpool_limits

    report = params.report
    with threadpool_limits(limits=1):
        return {
            "firth_version": firth.__version__,
            "corpora": _corpora(inputs, params.corpora),
            "drops": _drops(inputs),
            "validation": [_validation(result, inputs.documented) for result in inputs.validations],
            "models": {model.name: _model(model, inputs, report) for model in inputs.models},
            "order": [model.name for model in inputs.models],
            "neighbours": [
                {"word": word, "models": {model.name: neighbours(model, word) for model in inputs.models}}
                for word in report.neighbours
            ],
            "bert": {"label": MODEL_LABELS["bert"]} | pretraining(inputs.bert),
            "tasks": [task(run, params.tasks[run.name]) for run in inputs.tasks],
            "published": beside(inputs.tasks, params.tasks),
            "lineage": _lineage(inputs, params.corpora),
        } | _read_by_bert(inputs, params, reference)


def _read_by_bert(inputs: Inputs, params: Params, reference: Path | None) -> dict[str, Any]:
    """What takes the model itself and not only its records."""
    from firth.encode.load import load_encoder, load_model

    report = params.report
    with _one_thread():
        bert = load_model(inputs.bert.folder)
        encoders = [("bert", f"{MODEL_LABELS['bert']}, ours", bert)]
        if report.ambiguous and reference and params.evaluation.reference:
            encoders.append(("reference", params.evaluation.reference.title, load_encoder(reference)))
        asked = report.ambiguous
        return {
            "hidden": hidden_words(inputs.bert),
            "fill": fillings(bert, report.fill),
            "attention": attention_map(bert, report.attention),
            "ambiguous": ambiguous(asked, inputs.models[0], encoders, report.seed) if asked else None,
        }


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch's sums over several threads end in another order, and other last digits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _lineage(inputs: Inputs, corpora: Corpora) -> dict[str, Any]:
    """Digests of everything that was read on the way."""
    return {
        "sources": {name: _source(source.model_dump()) for name, source in corpora.items()},
        "task_files": dict(inputs.results.get("digests", {})),
        "shards": [
            {key: shard[key] for key in ("file", "documents", "words", "sha256")} for shard in inputs.manifest["shards"]
        ],
        "pieces": {
            "tokenizer": inputs.bert.store["tokenizer"],
            "store": value_sha256(inputs.bert.store),
            "splits": {
                side: {key: found[key] for key in ("documents", "sentences", "tokens")}
                for side, found in inputs.bert.store["splits"].items()
            },
            "files": [
                {"file": name, "sha256": found["sha256"]} for name, found in sorted(inputs.bert.store["files"].items())
            ],
        },
        "examples": [
            {
                "task": run.name,
                "source_sha256": run.manifest["source_sha256"],
                "files": {name: dict(found) for name, found in sorted(run.manifest["files"].items())},
            }
            for run in inputs.tasks
        ],
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
        "antonym_study": antonym_study(model.words, model.vectors.matrix, bootstrap=BOOTSTRAP, seed=params.seed),
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
