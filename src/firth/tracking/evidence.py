"""What was measured of a trained model, by suite: word tasks, held-out text and tasks, each with its conditions.

A suite is `analogies`, `wordsim353`, `simlex999` (word vectors), `mlm` (BERT) or the name of a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from firth.canonical import read_json, value_sha256
from firth.choices import BERT_SUITES, WORD_SUITES
from firth.config import load_params
from firth.config.usages import Evaluation, HeadName, Mode
from firth.tasks.evaluation.in_words import how_scored
from firth.tasks.words.suites import METRICS
from firth.tracking.trained import WORD_MODELS, output_of, weights_sha256

(MLM,) = BERT_SUITES
MLM_METRIC = "heldout/mlm_gain"
PIECES = Path("data/tokens/pieces")
"""The token store that BERT was trained on."""


@dataclass(frozen=True)
class Measured:
    """One suite's result. `low` and `high` are None where there is no interval, `score` where nothing is covered.

    Two scores are comparable where `conditions` are equal. `metric` is the score's name in the tracker.
    """

    score: float | None
    low: float | None
    high: float | None
    covered: int
    total: int
    conditions: Mapping[str, Any]
    metric: str
    tie_with_majority: bool | None = None
    """Of a task: whether the score may well be that of the majority answer."""
    score_of: str | None = None
    """Of a task, in words: which of the trainings the score is of."""
    seeds: tuple[float, float] | None = None
    """Of a task with several seeds: the least and the greatest score of one."""

    def part(self) -> dict[str, Any]:
        """Without the conditions, as it is stored on a registered version."""
        found: dict[str, Any] = {
            "score": self.score,
            "low": self.low,
            "high": self.high,
            "covered": self.covered,
            "total": self.total,
        }
        seeds = None if self.seeds is None else list(self.seeds)
        said = {"tie_with_majority": self.tie_with_majority, "score_of": self.score_of, "seeds": seeds}
        return found | {key: value for key, value in said.items() if value is not None}


def evidence(root: Path, model: str) -> dict[str, Measured]:
    """Everything measured of `model` as it lies in `root`; what was measured of other weights is left out."""
    weights = weights_sha256(root, model)
    if weights is None:
        return {}
    found = _words(root, model, weights) if model in WORD_MODELS else _heldout(root, model)
    for path in sorted((root / "data" / "tasks").glob("*/results.json")):
        results = read_json(path)
        if "systems" in results and results.get("weights", {}).get(model) == weights:
            measured = task_result(results, model, ways(load_params(root / "params.yaml").evaluation))
            if measured is not None:
                found[results["task"]] = measured
    return found


def stage_that_measures(suite: str, model: str) -> str:
    """The stage whose output holds the score of `model` on `suite`."""
    if suite in WORD_SUITES:
        return "word-tasks"
    return model if suite == MLM else f"tasks@{suite}"


def ways(settings: Evaluation) -> list[str]:
    """How the encoders are used, as rows of the tables are named: `frozen`, `finetuned`, `bilstm` and so on."""
    return [_way(mode, head) for mode in settings.modes for head in settings.heads]


def settings_of(way: str) -> dict[str, Any]:
    """Settings of an evaluation that measures this way alone."""
    mode, head = next((mode, head) for mode in get_args(Mode) for head in get_args(HeadName) if _way(mode, head) == way)
    return {"modes": [mode], "heads": [head], "ensemble": False}


def _way(mode: Mode, head: HeadName) -> str:
    parts = [] if mode == "frozen" else [mode]
    return "-".join(parts if head == "linear" else [*parts, head]) or mode


def task_result(results: Mapping[str, Any], model: str, ways: Sequence[str]) -> Measured | None:
    """What a task's `results.json` says of `model`, used in the first of `ways` in which it was measured."""
    systems = {item["system"]: item for item in results["systems"]}
    way = next((way for way in ways if system_of(model, way) in systems), None)
    if way is None:
        return None
    system = systems[system_of(model, way)]
    examples = int(results["examples"]["dev"])
    seeds = counted_seeds(system)
    return Measured(
        score=system["score"],
        low=system["low"],
        high=system["high"],
        covered=examples,
        total=examples,
        conditions=task_conditions(results, way),
        metric=f"{results['task']}/{results['metric']}",
        tie_with_majority=bool(system["tie_with_majority"]),
        score_of=how_scored(system),
        seeds=(min(seeds), max(seeds)) if len(seeds) > 1 else None,
    )


def counted_seeds(system: Mapping[str, Any]) -> list[float]:
    """Scores of the seeds, without those of trainings that diverged, or collapsed and were replaced by others."""
    runs = system.get("runs")
    if runs is None:
        return list(system["seeds"])
    point = {key: value for key, value in system["details"].items() if key in ("batch", "learning_rate", "epochs")}
    own = [run for run in runs if all(run.get(key, value) == value for key, value in point.items())]
    return [run["score"] for run in own if "replaced_by" not in run and "diverged_at" not in run]


def system_of(model: str, way: str) -> str:
    """The name of a row of the tables."""
    return model if way == "frozen" else f"{model}-{way}"


def task_conditions(results: Mapping[str, Any], way: str) -> dict[str, Any]:
    """What must be equal for two scores on a task to be comparable; which encoders stood beside is no part of it."""
    unused = {"encoders", "reference", "modes", "heads", "bootstrap", "ensemble"}
    if "finetuned" not in way:
        unused |= {"vectors_learning_rate", "finetuning", "protocol", "grid"}
    if "bilstm" not in way:
        unused |= {"bilstm"} if "finetuned" in way else {"bilstm", "restarts"}
    settings = {key: value for key, value in results["settings"].items() if key not in unused}
    return {**results["digests"], "metric": results["metric"], "mode": way, "settings": value_sha256(settings)}


def word_conditions(suite: str, digests: Mapping[str, str], restrict_vocabulary: int) -> dict[str, Any]:
    """What must be equal for two scores on one of the word suites to be comparable."""
    own = {"file": digests[suite]}
    return own | {"restrict_vocabulary": restrict_vocabulary} if suite == "analogies" else own


def _words(root: Path, model: str, weights: str) -> dict[str, Measured]:
    path = root / "data" / "tasks" / "words" / "results.json"
    if not path.is_file():
        return {}
    results = read_json(path)
    if results["vectors"].get(model) != weights:
        return {}
    size = results["settings"]["restrict_vocabulary"]
    return {
        suite: Measured(
            **{key: part.get(key) for key in ("score", "low", "high")},
            covered=int(part["covered"]),
            total=int(part["total"]),
            conditions=word_conditions(suite, results["digests"], size),
            metric=METRICS[suite],
        )
        for suite, part in results["models"][model].items()
    }


def _heldout(root: Path, model: str) -> dict[str, Measured]:
    """`mlm`: how many nats a held-out masked word costs less than by guessing from word frequencies."""
    metrics, store = root / "data" / "metrics" / f"{model}.json", root / PIECES / "manifest.json"
    if not metrics.is_file() or not store.is_file():
        return {}
    training, manifest = (read_json(path) for path in (root / output_of(model) / "training.json", store))
    if value_sha256(manifest) not in training["inputs"].values():
        return {}
    history = read_json(root / output_of(model) / "history.json")
    looks = [row["heldout"] for row in history if row.get("heldout")]
    predictions = int(looks[-1]["predictions"]) if looks else 0
    gain = read_json(metrics).get(MLM_METRIC)  # none where no text is held out
    conditions = heldout_conditions(training["params"], manifest)
    return {MLM: Measured(gain, None, None, predictions, predictions, conditions, MLM_METRIC)}


def heldout_conditions(params: Mapping[str, Any], store: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for two held-out losses to be comparable: vocabulary, text, and how positions are chosen."""
    files = {name: part["sha256"] for name, part in store["files"].items() if name.startswith("heldout/")}
    # Left to right, all words are predicted, each from those before it: another measure, whatever the masking says.
    objective = params.get("objective", "masked")
    return {
        **({} if objective == "masked" else {"objective": objective}),
        "tokenizer": store["tokenizer"]["sha256"],
        "heldout": value_sha256(files),
        "instances": params["heldout"]["instances"],
        **{name: params[name] for name in ("length", "short_sequences", "next_sentence", "masking")},
    }
