"""Promotion by evidence, and the way back.

What holds: within one clone a file lock lets one promotion or rollback work at a time. Between clones on one tracking
server each decides by itself, which may take minutes; then, under a lock that lives in that server (`registry.lock`),
the champion is read once more, and where another clone was faster the decision is taken anew against the new one. So
two promotions at once cannot both win. Aliases move one by one, `@previous` first and `@champion` last, each in one
transaction of the store: a crash in between leaves the old champion in its place, and the next promotion finishes the
work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from firth.canonical import dumps
from firth.config import load_params
from firth.config.evaluation import WORD_SUITES, GateModel
from firth.config.params import Params
from firth.errors import FirthError
from firth.registry import heldout_singles, word_singles
from firth.registry.approval import PENDING, WAITS, move, record_path
from firth.registry.candidate import Candidate
from firth.registry.card import card
from firth.registry.champion import champion_scores
from firth.registry.footprint import Footprint, footprint
from firth.registry.gate import Decision, decide, different
from firth.registry.lock import locked
from firth.registry.noise import noise_of_gain
from firth.registry.singles import Singles, keep, kept
from firth.registry.versions import (
    CHALLENGER,
    CHAMPION,
    NOT_APPROVED_TAG,
    PREVIOUS,
    REASONS_TAG,
    ROLLED_BACK_TAG,
    VERDICT_TAG,
    by_alias,
    load_checked,
    not_deleted,
    register,
)
from firth.tracking.evidence import MLM
from firth.tracking.lineage import registered_name, weights_of
from firth.tracking.reconcile import reconcile
from firth.tracking.store import Store, mlflow_folder, open_store
from firth.tracking.trained import MODELS

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

ATTEMPTS = 3
"""Decisions taken anew because another clone moved the champion meanwhile."""


@dataclass(frozen=True)
class Promotion:
    """A decision about one model. `champion` is the version behind `@champion` afterwards, None where there is none."""

    name: str
    model: str
    version: str
    champion: str | None
    previous: str | None
    decision: Decision

    def data(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "name": self.name,
            "model": self.model,
            "version": self.version,
            "champion": self.champion,
            "previous": self.previous,
            **self.decision.data(),
        }


@dataclass(frozen=True)
class Rollback:
    """`champion` took the place of `replaced`."""

    name: str
    champion: str
    replaced: str


def promote_all(root: Path, models: Sequence[str] | None = None) -> list[Promotion]:
    """Register what was trained in `root` and decide about each of `models` (default: those of the gate)."""
    params = load_params(root / "params.yaml")
    chosen = [_known(model) for model in models or params.gate.models]
    store = open_store(root)
    with FileLock(mlflow_folder(root) / "promote.lock"):
        reconcile(root, store)
        return [_promote(store, root, params, model) for model in chosen]


def _known(name: str) -> GateModel:
    for model in MODELS:
        if name in (model, registered_name(model)):
            return model
    raise FirthError(f"unknown model {name}; there are: {', '.join(MODELS)}")


def rollback(name: str, root: Path | None = None) -> Rollback:
    """Give `@champion` of `name` back to `@previous`; the version it leaves is not promoted again on its own.

    A second rollback restores the first state.
    """
    store = open_store(root)
    name = registered_name(name)
    with FileLock(mlflow_folder(root) / "promote.lock"):
        champion, previous = _both(store, name)
        load_checked(name, previous)
        with locked(store, name) as lock:
            if [_number(version) for version in _both(store, name)] != [_number(champion), _number(previous)]:
                raise FirthError(f"the champion of {name} changed meanwhile; look at `firth models`, then try again")
            now = datetime.now(UTC).isoformat(timespec="seconds")
            store.client.log_text(
                str(champion.run_id),
                dumps({"name": name, "from": str(champion.version), "to": str(previous.version), "at": now}),
                f"promotion/{name}-v{champion.version}-rollback.json",
            )
            note = f"to {previous.version} at {now}"
            store.client.set_model_version_tag(name, champion.version, ROLLED_BACK_TAG, note)
            if ROLLED_BACK_TAG in previous.tags:
                store.client.delete_model_version_tag(name, previous.version, ROLLED_BACK_TAG)
            lock.still()
            store.client.set_registered_model_alias(name, CHAMPION, previous.version)
            lock.still()
            store.client.set_registered_model_alias(name, PREVIOUS, champion.version)
    return Rollback(name, str(previous.version), str(champion.version))


def _both(store: Store, name: str) -> tuple[ModelVersion, ModelVersion]:
    """The champion and the one before it."""
    champion, previous = by_alias(store, name, CHAMPION), by_alias(store, name, PREVIOUS)
    if champion is None:
        raise FirthError(f"{name} has no champion in {store.uri}")
    if previous is None or previous.version == champion.version:
        raise FirthError(f"{name} has no earlier champion to go back to; version {champion.version} stays")
    return champion, previous


def _promote(store: Store, root: Path, params: Params, model: GateModel) -> Promotion:
    policy = params.gate.policy(model)
    candidate = Candidate.read(store, root, model, policy)
    champion = by_alias(store, candidate.name, CHAMPION)
    if champion is not None and weights_of(champion) == candidate.weights_sha256:
        decision = Decision("unchanged", (f"version {champion.version} has these very weights",))
        return _outcome(store, candidate, champion, decision)
    version = register(store, candidate)
    store.client.set_registered_model_alias(candidate.name, CHALLENGER, version.version)
    cost = footprint(model, candidate.folder, timed=policy.limits.milliseconds is not None)
    if policy.confidence is not None:
        _keep_answers(store, root, candidate, version, policy.decisive)
    for _ in range(ATTEMPTS):
        with not_deleted(version, champion):
            decision = _judge(store, root, params, candidate, version, champion, cost)
            if decision.verdict == "promoted":
                load_checked(candidate.name, version)
                if params.gate.approval:
                    asked = f"{WAITS}: firth approve {candidate.name}/{version.version}"
                    decision = replace(decision, verdict=PENDING, reasons=(*decision.reasons, asked))
            _record(store, params, candidate, version=version, champion=champion, decision=decision, cost=cost)
            if decision.verdict != "promoted":
                return _outcome(store, candidate, version, decision)
            with locked(store, candidate.name) as lock:
                latest = by_alias(store, candidate.name, CHAMPION)
                if _number(latest) == _number(champion):
                    move(store, version, champion, lock)
                    return _outcome(store, candidate, version, decision)
        champion = latest
    raise FirthError(f"{candidate.name}: the champion changed {ATTEMPTS} times while this promotion was deciding")


def _keep_answers(store: Store, root: Path, candidate: Candidate, version: ModelVersion, suite: str) -> None:
    """Keep what `candidate` answered on `suite`, example by example; nothing where it was not measured."""
    if candidate.scores.value(suite) is None:
        return
    if suite == MLM:
        heldout_singles.tell(store, root, candidate, version, candidate.folder)
    elif suite in WORD_SUITES:
        keep(store, version, word_singles.of_stage(root, suite, candidate.model))
    else:
        mode = candidate.scores.conditions[suite]["mode"]
        keep(store, version, Singles.of_stage(root, suite, candidate.model, mode))


def _judge(
    store: Store,
    root: Path,
    params: Params,
    candidate: Candidate,
    version: ModelVersion,
    champion: ModelVersion | None,
    cost: Footprint,
) -> Decision:
    if ROLLED_BACK_TAG in version.tags:
        reason = (
            f"version {version.version} was rolled back ({version.tags[ROLLED_BACK_TAG]}); `firth rollback` restores it"
        )
        return Decision("refused", (reason,))
    if NOT_APPROVED_TAG in version.tags:
        said = f"version {version.version} was not approved ({version.tags[NOT_APPROVED_TAG]})"
        return Decision("refused", (f"{said}; `firth approve` takes that back",))
    policy = params.gate.policy(candidate.model)
    if champion is None:
        return decide(policy, params.gate.require_validation, candidate.scores, None, cost)
    held = champion_scores(store, root, params, candidate, champion, policy)
    noise = None
    if policy.confidence is not None and not different(candidate.scores, held, policy.decisive):
        ours, theirs = (kept(store, one, policy.decisive) for one in (version, champion))
        if ours is not None and theirs is not None:
            noise = noise_of_gain(root, ours, theirs, policy.min_gain)
    return decide(policy, params.gate.require_validation, candidate.scores, held, cost, noise)


def _record(
    store: Store,
    params: Params,
    candidate: Candidate,
    *,
    version: ModelVersion,
    champion: ModelVersion | None,
    decision: Decision,
    cost: Footprint,
) -> None:
    """Write the decision before anything moves: no promotion without its evidence."""
    name, number = candidate.name, version.version
    record = {
        **decision.data(),
        "name": name,
        "version": str(number),
        "champion_before": _number(champion),
        "policy": params.gate.policy(candidate.model).model_dump()
        | {"require_validation": params.gate.require_validation},
        "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "evidence": {
            "fingerprint": candidate.fingerprint,
            "weights_sha256": candidate.weights_sha256,
            "champion_weights_sha256": None if champion is None else weights_of(champion),
            "cost": cost.data(),
            "conditions": dict(candidate.scores.conditions),
            "validation": dict(candidate.scores.validation),
            "stages": candidate.provenance["stages"],
            "git": candidate.provenance["git"],
        },
    }
    store.client.log_text(candidate.run_id, dumps(record), record_path(version))
    store.client.set_model_version_tag(name, number, REASONS_TAG, "; ".join(decision.reasons))
    store.client.set_model_version_tag(name, number, VERDICT_TAG, decision.verdict)
    store.client.update_model_version(
        name,
        number,
        description=card(
            candidate.model,
            params=candidate.params,
            corpora=candidate.provenance["corpora"],
            init_sha256=candidate.provenance.get("init_sha256"),
            suites=candidate.scores.suites,
            cost=cost,
            verdict=decision.verdict,
            reasons=decision.reasons,
        ),
    )


def _outcome(store: Store, candidate: Candidate, version: ModelVersion, decision: Decision) -> Promotion:
    champion, previous = by_alias(store, candidate.name, CHAMPION), by_alias(store, candidate.name, PREVIOUS)
    return Promotion(
        candidate.name, candidate.model, str(version.version), _number(champion), _number(previous), decision
    )


def _number(version: ModelVersion | None) -> str | None:
    return None if version is None else str(version.version)
