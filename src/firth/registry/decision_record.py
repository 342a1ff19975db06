"""The record of a decision: all that it was taken from, by number and by digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from firth.config.params import Params
from firth.registry.candidate import Candidate
from firth.registry.card import card
from firth.registry.footprint import Footprint
from firth.registry.gate import Decision, Scores
from firth.tasks.words.suites import METRICS
from firth.tracking.lineage import weights_of
from firth.tracking.runs import flow_run_id
from firth.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class Judged:
    """A decision, the champion's scores as they were compared, and the digests of the single answers behind noise."""

    decision: Decision
    champion: Scores | None = None
    answers: Mapping[str, str] = field(default_factory=dict)


def record_of(
    params: Params,
    candidate: Candidate,
    version: ModelVersion,
    champion: ModelVersion | None,
    judged: Judged,
    cost: Footprint,
    flow_run: str | None,
) -> dict[str, Any]:
    """Everything about a decision as plain JSON values."""
    held: dict[str, Any] | None = None
    if champion is not None:
        held = {"version": str(champion.version), "weights_sha256": weights_of(champion)}
        if judged.champion is not None:
            held |= {"suites": dict(judged.champion.suites), "conditions": dict(judged.champion.conditions)}
    policy = params.gate.policy(candidate.model).model_dump()
    return {
        **judged.decision.data(),
        "name": candidate.name,
        "version": str(version.version),
        "champion_before": None if champion is None else str(champion.version),
        "policy": policy | {"require_validation": params.gate.require_validation, "approval": params.gate.approval},
        "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "flow_run": flow_run or flow_run_id(),
        "evidence": {
            "run": candidate.run_id,
            "fingerprint": candidate.fingerprint,
            "weights_sha256": candidate.weights_sha256,
            "cost": cost.data(),
            "suites": dict(candidate.scores.suites),
            "conditions": dict(candidate.scores.conditions),
            "validation": dict(candidate.scores.validation),
            "answers_sha256": dict(judged.answers),
            "champion": held,
            "stages": candidate.provenance["stages"],
            "git": candidate.provenance["git"],
        },
    }


def describe(store: Store, version: ModelVersion, candidate: Candidate, cost: Footprint) -> ModelVersion:
    """Put the card of `candidate` on `version`, which says nothing of a decision yet; the version as it is now."""
    text = card(
        candidate.model,
        params=candidate.params,
        corpora=candidate.provenance["corpora"],
        init_sha256=candidate.provenance.get("init_sha256"),
        suites=named(candidate.scores),
        cost=cost,
        verdict="undecided",
        reasons=(),
    )
    return store.client.update_model_version(version.name, version.version, description=text)


def named(scores: Scores) -> dict[str, dict[str, Any]]:
    """The suites with the `metric` that each score is, and the `mode` in which a task used the encoder."""
    found = {}
    for suite, part in scores.suites.items():
        conditions = scores.conditions.get(suite, {})
        metric = conditions.get("metric") or METRICS.get(suite, "").rpartition("/")[2]
        found[suite] = {**part, "metric": metric, "mode": conditions.get("mode")}
    return found
