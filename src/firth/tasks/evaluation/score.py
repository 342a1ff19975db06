"""One task, all encoders side by side: features, heads of several seeds, scores with intervals, ties."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from firth.config.usages import Evaluation
from firth.tasks.encoders.contextual import threads
from firth.tasks.encoders.device import device_of
from firth.tasks.encoders.sources import Source
from firth.tasks.evaluation.cells import Cells
from firth.tasks.evaluation.in_words import how_scored, protocol_in_words
from firth.tasks.evaluation.learners import Seen, learners
from firth.tasks.evaluation.protocols import Trainings
from firth.tasks.examples.files import Examples
from firth.tasks.measures.measures import Score
from firth.tasks.usages.problems import Problem, problem_of

DIGITS = 6


@dataclass(frozen=True)
class Scored:
    """`results` as in `results.json`; `predictions` by system, one record a dev example."""

    results: dict[str, Any]
    predictions: dict[str, list[dict[str, Any]]]

    def prediction_lines(self, system: str) -> Iterator[str]:
        """`predictions-SYSTEM.jsonl`, line by line."""
        for record in self.predictions[system]:
            yield json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n"


def score_task(
    examples: Examples,
    encoders: Mapping[str, Source],
    settings: Evaluation,
    cells: Cells | None = None,
    seen: Seen | None = None,
) -> Scored:
    """Train heads on each encoder's features of the train side and score them on the dev side.

    The same examples, weights, settings and number of threads give the same result, on a CPU, whether or not trainings
    that are more than a linear head on frozen features were made before and kept in `cells`. `seen` is told each model
    that is trained on the way. The settings in the results name the accelerator that `auto` came to.

    Raises:
        ConfigError: the settings ask for a GPU, and there is none.
        DataError: the examples leave nothing to learn or to score.
        FirthError: all trainings of a system diverged.
    """
    accelerator = device_of(settings).kind
    problem = problem_of(examples)
    metric = examples.manifest["metric"]
    guesses, what = problem.baseline()
    majority = problem.measures(guesses)[metric]
    systems: list[dict[str, Any]] = []
    predictions: dict[str, list[dict[str, Any]]] = {}
    trainings = Trainings(problem, examples, settings, cells)

    def add(system: str, row: dict[str, Any], predicted: list[Any], details: dict[str, Any]) -> None:
        measures = problem.measures(predicted)
        low, high = measures[metric].interval(settings.bootstrap)
        systems.append(
            {
                "system": system,
                "low": _rounded(low),
                "high": _rounded(high),
                "score": _rounded(measures[metric].score),
                "tie_with_majority": measures[metric].ties_with(majority, settings.bootstrap),
                "details": {key: _plain(value) for key, value in details.items()}
                | {"constant": problem.constant(predicted)}
                | {name: _rounded(measure.score) for name, measure in measures.items()},
                **row,
            }
        )
        predictions[system] = _records(examples, problem, predicted, measures[metric])

    def score(name: str, source: Source) -> None:
        for learner in learners(problem, examples, source, settings, seen):
            system, label = name + learner.suffix, source.label + learner.note
            outcome = trainings.outcome(learner, system)
            row = {"encoder": name, "mode": learner.mode, "label": label}
            seeds = {"seeds": [_rounded(run.score) for run in outcome.runs]}
            chosen = outcome.chosen
            details = learner.details | {"seed": chosen.seed}
            if learner.identity is None:
                add(system, row | seeds, chosen.predicted, details)
                continue
            made = [{key: _plain(value) for key, value in record.items()} for record in outcome.records]
            settled = details | (chosen.point if learner.tunable else {})
            add(system, row | seeds | {"score_is": outcome.of, "runs": made}, chosen.predicted, settled)
            members = outcome.counted
            if settings.ensemble and len(members) > 1:
                together = {"label": f"{label}, ensemble of {len(members)}", "seeds": []}
                whose = {"ensemble_of": [run.seed for run in members]}
                predicted = trainings.ensemble(outcome, learner)
                add(f"{system}-ensemble", row | together | whose, predicted, learner.details)

    with threads(settings.threads):
        for name, source in encoders.items():
            score(name, source)  # nothing of an encoder outlives its turn
    files = examples.manifest["files"]
    return Scored(
        {
            **{key: examples.manifest[key] for key in ("task", "kind", "title", "metric", "published")},
            "examples": {"train": len(examples.train), "dev": len(examples.dev)},
            "digests": {side: files[f"{side}.jsonl"]["sha256"] for side in ("train", "dev")},
            "settings": settings.model_dump(mode="json") | {"accelerator": accelerator},
            "majority": {"score": _rounded(majority.score), "what": what},
            "systems": systems,
            "weights": {name: source.sha256() for name, source in encoders.items() if source.sha256 is not None},
            **{key: examples.manifest[key] for key in ("left_out", "repeats") if examples.manifest.get(key)},
        },
        predictions,
    )


def summary(results: Mapping[str, Any]) -> Iterator[str]:
    """One line for the answer without an encoder, one a system, ties shown as ties; the last names the protocol."""
    width = max([len("majority"), *(len(system["system"]) for system in results["systems"])])
    baseline = results["majority"]
    yield f"{'majority':{width}}  {baseline['score']:.3f}                 {baseline['what']}"
    for system in results["systems"]:
        verdict = "  ≈ majority" if system["tie_with_majority"] else ""
        interval = f"[{system['low']:.3f}, {system['high']:.3f}]"
        yield f"{system['system']:{width}}  {system['score']:.3f}  {interval}{verdict}  ({how_scored(system)})"
    yield protocol_in_words(results["settings"])


def _records(examples: Examples, problem: Problem, predicted: list[Any], measure: Score) -> list[dict[str, Any]]:
    return [
        {"id": example["id"], "predicted": guess, "expected": gold, "score": _rounded(score)}
        for example, guess, gold, score in zip(examples.dev, predicted, problem.expected, measure.each(), strict=True)
    ]


def _plain(value: float | None) -> float | None:
    return _rounded(value) if isinstance(value, float) else value


def _rounded(value: float) -> float:
    return round(float(value), DIGITS) + 0.0
