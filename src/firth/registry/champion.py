"""The champion's scores, under the conditions of whoever challenges it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from firth.canonical import file_sha256
from firth.choices import WORD_SUITES
from firth.config.evaluation import Policy
from firth.config.params import Params
from firth.errors import DataError
from firth.progress import step
from firth.registry import heldout_singles, word_singles
from firth.registry.candidate import Candidate
from firth.registry.gate import Scores, different
from firth.registry.singles import Singles, keep, kept
from firth.registry.versions import SCORES_TAG, fetch_folder, load_checked, scores_of, scores_tag
from firth.tasks.words.suites import TaskSet, score_words
from firth.tracking.evidence import MLM, Measured, settings_of, system_of, task_result, word_conditions
from firth.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def champion_scores(
    store: Store, root: Path, params: Params, candidate: Candidate, champion: ModelVersion, policy: Policy
) -> Scores:
    """What is stored of the champion, with new scores where the candidate was measured under other conditions.

    Word suites and tasks are measured again with the champion's stored weights, on the files and examples of today, and
    noted on its version; so is the task that decides where single answers are asked for and none are kept. Held-out
    losses stay as they are: another vocabulary or text makes them another quantity. Where they are the same quantity
    and decide, those of single instances are kept.
    """
    stored = scores_of(champion)
    wanted = candidate.scores.conditions
    stale = [name for name in policy.suites if name != MLM and stored.conditions.get(name) != wanted.get(name)]
    told = policy.confidence is not None
    if told and policy.decisive == MLM:
        if stored.value(MLM) is not None and not different(candidate.scores, stored, MLM):
            heldout_singles.tell(store, root, candidate, champion, fetch_folder(candidate.name, champion))
    elif told and kept(store, champion, policy.decisive) is None and policy.decisive not in stale:
        stale.append(policy.decisive)
    if not stale:
        return stored
    measured: dict[str, Measured] = {}
    if any(suite in WORD_SUITES for suite in stale):
        words = _score_words(params, candidate, champion, policy.decisive)
        measured |= words.measured
        if words.singles is not None and policy.confidence is not None:
            keep(store, champion, words.singles)
    for task in (name for name in stale if name not in WORD_SUITES):
        with step(f"{candidate.name} version {champion.version} on {task}"):
            scored = _score_task(root, params, candidate, champion, task)
            measured |= scored.measured
            if scored.singles is not None:
                keep(store, champion, scored.singles)
    fresh = Scores(
        suites={**stored.suites, **{suite: result.part() for suite, result in measured.items()}},
        conditions={**stored.conditions, **{suite: dict(result.conditions) for suite, result in measured.items()}},
        validation=stored.validation,
    )
    store.client.set_model_version_tag(candidate.name, champion.version, SCORES_TAG, scores_tag(fresh))
    return fresh


class _Scored(NamedTuple):
    measured: dict[str, Measured]
    singles: Singles | None
    """On the suite that decides."""


def _score_words(params: Params, candidate: Candidate, champion: ModelVersion, decisive: str) -> _Scored:
    tasks = TaskSet.fetch(params.word_tasks.files)
    model = load_checked(candidate.name, champion)
    scores = score_words(model.words, model.matrix, tasks, params.word_tasks)
    summary, size = scores.summary(), params.word_tasks.restrict_vocabulary
    singles = None
    if decisive in WORD_SUITES:
        records = list(word_singles.records_of(list(scores.prediction_lines()), decisive))
        singles = word_singles.of(decisive, tasks.digests[decisive], summary, records)
    measured = {
        suite: Measured(
            **{key: part[key] for key in ("score", "low", "high", "covered", "total")},
            conditions=word_conditions(suite, tasks.digests, size),
            metric=suite,
        )
        for suite, part in summary.items()
    }
    return _Scored(measured, singles)


def _score_task(root: Path, params: Params, candidate: Candidate, champion: ModelVersion, task: str) -> _Scored:
    from firth.tasks.encoders.sources import from_folder
    from firth.tasks.evaluation.score import score_task
    from firth.tasks.examples.files import load

    folder = root / "data" / "examples" / task
    wanted = candidate.scores.conditions[task]
    _check_examples(folder, wanted)
    way = wanted["mode"]
    settings = params.evaluation.model_copy(update={"encoders": [candidate.model], **settings_of(way)})
    source = from_folder(fetch_folder(candidate.name, champion), "champion", settings)
    scored = score_task(load(folder), {candidate.model: source}, settings)
    measured = task_result(scored.results, candidate.model, [way])
    if measured is None:
        return _Scored({}, None)
    system = system_of(candidate.model, way)
    return _Scored({task: measured}, Singles.of(scored.results, system, scored.predictions[system]))


def _check_examples(folder: Path, wanted: Mapping[str, Any]) -> None:
    for side in ("train", "dev"):
        path = folder / f"{side}.jsonl"
        if not path.is_file() or file_sha256(path) != wanted[side]:
            raise DataError(f"not the examples that the model was scored on; run the stage tasks@{folder.name}", path)
