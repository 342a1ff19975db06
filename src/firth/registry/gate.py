"""The promotion policy as a pure function: evidence in, verdict with reasons out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from firth.config.evaluation import Gate
from firth.errors import FirthError

Verdict = Literal["promoted", "refused", "unchanged"]


@dataclass(frozen=True)
class Scores:
    """Evidence about one model.

    `suites` as in the word tasks' `results.json`; `conditions` is what makes two scores comparable (digests of the task
    files, size of the analogy vocabulary); `validation` says of each corpus whether it passed.
    """

    suites: Mapping[str, Mapping[str, Any]]
    conditions: Mapping[str, Any]
    validation: Mapping[str, bool] = field(default_factory=dict)

    def value(self, suite: str) -> float | None:
        """The score of `suite`, None where it was not measured."""
        score = self.suites.get(suite, {}).get("score")
        return None if score is None else float(score)


@dataclass(frozen=True)
class Row:
    """The numbers of one suite behind a decision."""

    suite: str
    challenger: float | None
    low: float | None
    high: float | None
    champion: float | None
    minimum: float
    max_loss: float
    covered: int
    total: int


@dataclass(frozen=True)
class Decision:
    """`promoted`, `refused` or `unchanged` (the same vectors), why, and the numbers."""

    verdict: Verdict
    reasons: tuple[str, ...]
    numbers: tuple[Row, ...] = ()

    def data(self) -> dict[str, Any]:
        """As plain JSON values."""
        tree = asdict(self)
        return {"verdict": self.verdict, "reasons": list(self.reasons), "numbers": list(tree["numbers"])}


def decide(policy: Gate, challenger: Scores, champion: Scores | None) -> Decision:
    """Whether `challenger` may take the place of `champion` (None: the place is free).

    A challenger passes where all corpora passed validation, each suite reaches its minimum and falls at most `max_loss`
    below the champion, and the decisive suite gains: by more than nothing, and at least by `min_gain`. Scores are over
    what each vocabulary covers; `numbers` shows how much that is.
    """
    if champion is not None and dict(champion.conditions) != dict(challenger.conditions):
        raise FirthError("challenger and champion were scored under different conditions; score the champion again")
    against: list[str] = []
    numbers: list[Row] = []
    if policy.require_validation:
        against += _validation_objections(challenger.validation)
    for suite, demand in policy.suites.items():
        score = challenger.value(suite)
        held = champion.value(suite) if champion is not None else None
        part = challenger.suites.get(suite, {})
        numbers.append(
            Row(
                suite, score, part.get("low"), part.get("high"), held, demand.minimum, demand.max_loss,
                int(part.get("covered", 0)), int(part.get("total", 0)),
            )
        )  # fmt: skip
        if score is None:
            against.append(f"{suite} was not measured")
        elif score < demand.minimum:
            against.append(f"{suite} {score:.4f} is below the minimum {demand.minimum:.4f}")
        elif held is not None and score < held - demand.max_loss:
            against.append(
                f"{suite} fell from {held:.4f} to {score:.4f}, by more than the allowed {demand.max_loss:.4f}"
            )
    against += _gain_objections(policy, challenger, champion)
    if against:
        return Decision("refused", tuple(against), tuple(numbers))
    return Decision("promoted", (_praise(policy, challenger, champion),), tuple(numbers))


def _validation_objections(validation: Mapping[str, bool]) -> list[str]:
    if not validation:
        return ["no corpus behind the model has a validation result"]
    failed = sorted(name for name, passed in validation.items() if not passed)
    return [f"validation failed for {', '.join(failed)}"] if failed else []


def _gain_objections(policy: Gate, challenger: Scores, champion: Scores | None) -> list[str]:
    if champion is None:
        return []
    score, held = challenger.value(policy.decisive), champion.value(policy.decisive)
    if score is None or held is None:
        return []
    gain = score - held
    if gain > 0 and gain >= policy.min_gain:
        return []
    wanted = f"at least {policy.min_gain:.4f}" if policy.min_gain > 0 else "some"
    return [f"{policy.decisive} changed by {gain:+.4f} ({held:.4f} to {score:.4f}); {wanted} gain is demanded"]


def _praise(policy: Gate, challenger: Scores, champion: Scores | None) -> str:
    if champion is None:
        return "first champion: every minimum is reached"
    score, held = challenger.value(policy.decisive), champion.value(policy.decisive)
    if score is None or held is None:
        return f"the champion has no score on {policy.decisive}; every minimum is reached"
    return f"{policy.decisive} rose from {held:.4f} to {score:.4f}; nothing fell by more than is allowed"
