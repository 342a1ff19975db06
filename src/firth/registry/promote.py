"""Promotion by evidence.

What holds: within one clone a file lock lets one promotion or rollback work at a time. Between clones on one tracking
server each decides by itself, which may take minutes; then, under a lock that lives in that server (`registry.lock`),
the champion and what was said of the version are read once more, and where another clone was faster the decision is
taken anew against the new champion. So two promotions at once cannot both win. The record of a decision is stored
before anything moves; how aliases move, and what a crash in between leaves, is `registry.moves`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from firth.canonical import value_sha256
from firth.choices import WORD_SUITES
from firth.config import load_params
from firth.config.evaluation import GateModel
from firth.config.params import Params
from firth.errors import FirthError
from firth.registry import heldout_singles, verdicts, word_singles
from firth.registry.approval import PENDING, WAITS
from firth.registry.candidate import Candidate
from firth.registry.champion import champion_scores
from firth.registry.decision_record import Judged, describe, record_of
from firth.registry.footprint import Footprint, footprint
from firth.registry.gate import Decision, decide, different
from firth.registry.lock import LostLockError
from firth.registry.moves import Mover, look, mend, moving
from firth.registry.noise import noise_of_gain
from firth.registry.outage import Account, OutageError, accounted
from firth.registry.singles import Singles, keep, kept
from firth.registry.versions import (
    CHALLENGER,
    CHAMPION,
    NOT_APPROVED_TAG,
    ROLLED_BACK_TAG,
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
"""Decisions taken anew because another clone moved the champion meanwhile, or the store was too slow to move it."""


@dataclass(frozen=True)
class Promotion:
    """A decision about one model. `champion` is the version behind `@champion` afterwards, None where there is none.

    `record` is what was stored of it; empty where nothing was decided.
    """

    name: str
    model: str
    version: str
    champion: str | None
    previous: str | None
    decision: Decision
    record: Mapping[str, Any] = field(default_factory=dict)

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


class SomeFailedError(FirthError):
    """Of several models some were decided, `done`, and some were not, `failed`, with their errors."""

    def __init__(self, done: Sequence[Promotion], failed: Mapping[str, FirthError]) -> None:
        self.done, self.failed = tuple(done), dict(failed)
        why = "; ".join(f"{model}: {error}" for model, error in failed.items())
        decided = ", ".join(item.model for item in done) or "none"
        super().__init__(f"not every model could be decided ({decided} was) — {why}")


def promote_all(root: Path, models: Sequence[str] | None = None, flow_run: str | None = None) -> list[Promotion]:
    """Register what was trained in `root` and decide about each of `models` (default: those of the gate).

    `flow_run` is the id of the flow run that asks; by default that which this process works for.

    Raises:
        SomeFailedError: some of several models could not be decided; the others were.
        FirthError: the only model could not be.
    """
    params = load_params(root / "params.yaml")
    chosen = [_known(model) for model in models or params.gate.models]
    store = open_store(root)
    done: list[Promotion] = []
    failed: dict[str, FirthError] = {}
    with FileLock(mlflow_folder(root) / "promote.lock"):
        for model in chosen:
            try:
                done.append(_promote(store, root, params, model, flow_run))
            except FirthError as error:
                if len(chosen) == 1:
                    raise
                failed[model] = error
                if isinstance(error, OutageError):
                    break
    if failed:
        raise SomeFailedError(done, failed)
    return done


def _known(name: str) -> GateModel:
    for model in MODELS:
        if name in (model, registered_name(model)):
            return model
    raise FirthError(f"unknown model {name}; there are: {', '.join(MODELS)}")


def _promote(store: Store, root: Path, params: Params, model: GateModel, flow_run: str | None) -> Promotion:
    policy, name = params.gate.policy(model), registered_name(model)
    with accounted(store, "firth promote") as account:
        reconcile(root, store, [model])
        mend(store, name)
        candidate = Candidate.read(store, root, model, policy)
        champion = by_alias(store, name, CHAMPION)
        if champion is not None and weights_of(champion) == candidate.weights_sha256:
            return _unchanged(store, candidate, champion)
        version = register(store, candidate)
        account.done.append(f"{name} version {version.version} is registered")
        with not_deleted(version):
            store.client.set_registered_model_alias(name, CHALLENGER, version.version)
            account.done.append(f"@challenger is version {version.version}")
            cost = footprint(model, candidate.folder, timed=policy.limits.milliseconds is not None)
            if policy.confidence is not None:
                _keep_answers(store, root, candidate, version, policy.decisive)
        deciding = _Deciding(store, root, params, candidate, cost, flow_run, account)
        for _ in range(ATTEMPTS):
            champion = by_alias(store, name, CHAMPION)
            if champion is not None and weights_of(champion) == candidate.weights_sha256:
                return _unchanged(store, candidate, champion)
            with not_deleted(version, champion):
                decided = deciding.attempt(store.client.get_model_version(name, version.version), champion)
            if decided is not None:
                return decided
        raise FirthError(
            f"{name}: the champion changed, or the lock was lost, {ATTEMPTS} times while this promotion was deciding; "
            "run it again"
        )


@dataclass(frozen=True)
class _Deciding:
    """What does not change between two attempts to decide about one candidate."""

    store: Store
    root: Path
    params: Params
    candidate: Candidate
    cost: Footprint
    flow_run: str | None
    account: Account

    def attempt(self, version: ModelVersion, champion: ModelVersion | None) -> Promotion | None:
        """The decision about `version` against `champion`, carried out; None where it came too late."""
        judged = _judge(self.store, self.root, self.params, self.candidate, version, champion, self.cost)
        decision = judged.decision
        if decision.verdict == "promoted":
            load_checked(self.candidate.name, version)
            if self.params.gate.approval:
                asked = f"{WAITS}: firth approve {self.candidate.name}/{version.version}"
                decision = replace(decision, verdict=PENDING, reasons=(*decision.reasons, asked))
        try:
            with moving(self.store, self.candidate.name) as mover:
                if self._overtaken(version, champion):
                    return None
                record = self._carry_out(mover, version, champion, replace(judged, decision=decision))
        except LostLockError:
            return None
        return _outcome(self.store, self.candidate, version, decision, record)

    def _overtaken(self, version: ModelVersion, champion: ModelVersion | None) -> bool:
        """Whether the champion is another by now, or a person has said something about `version` meanwhile."""
        now = self.store.client.get_model_version(version.name, version.version)
        said = any(now.tags.get(tag) != version.tags.get(tag) for tag in (ROLLED_BACK_TAG, NOT_APPROVED_TAG))
        return said or _number(by_alias(self.store, version.name, CHAMPION)) != _number(champion)

    def _carry_out(
        self, mover: Mover, version: ModelVersion, champion: ModelVersion | None, judged: Judged
    ) -> Mapping[str, Any]:
        """Write the decision before anything moves: no promotion without its evidence."""
        name, number, verdict = version.name, str(version.version), judged.decision.verdict
        record = record_of(self.params, self.candidate, version, champion, judged, self.cost, self.flow_run)
        path = verdicts.keep(self.store, version, record)
        self.account.done.append(f"the decision ({verdict}) is on record")
        version = describe(self.store, version, self.candidate, self.cost)
        if verdict == "promoted":
            self.account.begins(name, number)
            mover.carry_out("promotion", look(self.store, name).aliases.promoting(number), path)
            self.account.ends(name, number)
        else:
            verdicts.say(self.store, version, verdict, judged.decision.reasons)
        return record


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
) -> Judged:
    if ROLLED_BACK_TAG in version.tags:
        reason = (
            f"version {version.version} was rolled back ({version.tags[ROLLED_BACK_TAG]}); `firth rollback` restores it"
        )
        return Judged(Decision("refused", (reason,)))
    if NOT_APPROVED_TAG in version.tags:
        said = f"version {version.version} was not approved ({version.tags[NOT_APPROVED_TAG]})"
        return Judged(Decision("refused", (f"{said}; `firth approve` takes that back",)))
    policy = params.gate.policy(candidate.model)
    if champion is None:
        return Judged(decide(policy, params.gate.require_validation, candidate.scores, None, cost))
    held = champion_scores(store, root, params, candidate, champion, policy)
    noise, answers = None, {}
    if policy.confidence is not None and not different(candidate.scores, held, policy.decisive):
        ours, theirs = (kept(store, one, policy.decisive) for one in (version, champion))
        if ours is not None and theirs is not None:
            noise = noise_of_gain(root, ours, theirs, policy.min_gain)
            answers = {"challenger": value_sha256(asdict(ours)), "champion": value_sha256(asdict(theirs))}
    decision = decide(policy, params.gate.require_validation, candidate.scores, held, cost, noise)
    return Judged(decision, held, answers)


def _unchanged(store: Store, candidate: Candidate, champion: ModelVersion) -> Promotion:
    decision = Decision("unchanged", (f"version {champion.version} has these very weights",))
    return _outcome(store, candidate, champion, decision, {})


def _outcome(
    store: Store, candidate: Candidate, version: ModelVersion, decision: Decision, record: Mapping[str, Any]
) -> Promotion:
    aliases = look(store, candidate.name).aliases
    return Promotion(
        name=candidate.name,
        model=candidate.model,
        version=str(version.version),
        champion=aliases.champion,
        previous=aliases.previous,
        decision=decision,
        record=record,
    )


def _number(version: ModelVersion | None) -> str | None:
    return None if version is None else str(version.version)
