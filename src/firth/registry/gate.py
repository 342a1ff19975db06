"""The promotion policy as a pure function: evidence in, verdict with reasons out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from firth.config.evaluation import Limits, Policy
from firth.registry.footprint import Footprint

Verdict = Literal["promoted", "pending", "refused", "unchanged"]
"""Pending: to be promoted, once a person approves it."""

CONDITIONS = {
    "file": "task file",
    "restrict_vocabulary": "number of words to answer among",
    "tokenizer": "vocabulary",
    "heldout": "held-out text",
    "instances": "number of held-out instances",
    "length": "sequence length",
    "short_sequences": "share of short sequences",
    "next_sentence": "next-sentence prediction",
    "masking": "masking",
    "dev": "dev examples",
    "train": "training examples",
    "settings": "evaluation settings",
    "metric": "metric",
    "mode": "mode",
}
"""What makes two scores comparable, in words."""

UNITS = {"mlm": " nats"}
"""Of a suite's score, where it has one."""


@dataclass(frozen=True)
class Scores:
    """Evidence about one model.

    `suites` maps a suite to `{"score", "low", "high", "covered", "total"}`, `conditions` maps it to what must be equal
    for two of its scores to be comparable (digests of files, settings); `validation` says of each corpus whether it
    passed.
    """

    suites: Mapping[str, Mapping[str, Any]]
    conditions: Mapping[str, Mapping[str, Any]]
    validation: Mapping[str, bool] = field(default_factory=dict)

    def value(self, suite: str) -> float | None:
        """The score of `suite`, None where it was not measured."""
        score = self.suites.get(suite, {}).get("score")
        return None if score is None else float(score)


@dataclass(frozen=True)
class Row:
    """The numbers of one suite behind a decision; `other` says what keeps the champion's score from being compared."""

    suite: str
    challenger: float | None
    low: float | None
    high: float | None
    champion: float | None
    champion_low: float | None
    champion_high: float | None
    minimum: float
    max_loss: float
    covered: int
    total: int
    other: str = ""


@dataclass(frozen=True)
class Noise:
    """The share of `resamples` of `over` (in words) in which the challenger gains enough on the decisive suite."""

    gained: float
    resamples: int
    over: str

    def said(self) -> str:
        """`99.8% of 10,000 resamples of 512 held-out instances`."""
        return f"{_percent(self.gained)} of {self.resamples:,} resamples of {self.over}"


@dataclass(frozen=True)
class Decision:
    """The verdict (`unchanged`: these are the champion's weights), why, and the numbers."""

    verdict: Verdict
    reasons: tuple[str, ...]
    numbers: tuple[Row, ...] = ()
    noise: Noise | None = None

    def data(self) -> dict[str, Any]:
        """As plain JSON values."""
        tree = asdict(self)
        return tree | {"reasons": list(self.reasons), "numbers": list(tree["numbers"])}


def decide(
    policy: Policy,
    require_validation: bool,
    challenger: Scores,
    champion: Scores | None,
    cost: Footprint,
    noise: Noise | None = None,
) -> Decision:
    """Whether `challenger`, which costs `cost`, may take the place of `champion` (None: the place is free).

    A challenger passes where all corpora passed validation, it is within the policy's limits, each suite reaches its
    minimum and falls at most `max_loss` below the champion, and the decisive suite gains: by more than nothing, and at
    least by `min_gain`; where the policy names a confidence, in that share of resamples, too (`noise`). A suite on
    which the two were measured under different conditions has only its minimum to reach; on the decisive one there is
    then no gain to show, and the challenger is refused. Scores are over what each vocabulary covers; `numbers` shows
    how much that is.
    """
    against = _validation_objections(challenger.validation) if require_validation else []
    numbers = tuple(_row(policy, suite, challenger, champion) for suite in policy.suites)
    for row in numbers:
        against += _objections(row)
    (decisive,) = (row for row in numbers if row.suite == policy.decisive)
    if champion is not None:
        against += _gain_objections(policy, decisive, noise)
    against += _cost_objections(policy.limits, cost)
    if against:
        return Decision("refused", tuple(against), numbers, noise)
    reason = "first champion: every minimum is reached" if champion is None else _praise(policy, decisive, noise)
    return Decision("promoted", (reason, *_not_compared(numbers)), numbers, noise)


def different(challenger: Scores, champion: Scores, suite: str) -> str:
    """What differs between the conditions of two scores on `suite`, in words; empty where they are comparable."""
    ours, theirs = challenger.conditions.get(suite, {}), champion.conditions.get(suite, {})
    return ", ".join(CONDITIONS.get(name, name) for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))


def _row(policy: Policy, suite: str, challenger: Scores, champion: Scores | None) -> Row:
    demand, part = policy.suites[suite], challenger.suites.get(suite, {})
    held = champion.suites.get(suite, {}) if champion is not None else {}
    return Row(
        suite=suite,
        challenger=challenger.value(suite),
        low=part.get("low"),
        high=part.get("high"),
        champion=champion.value(suite) if champion is not None else None,
        champion_low=held.get("low"),
        champion_high=held.get("high"),
        minimum=demand.minimum,
        max_loss=demand.max_loss,
        covered=int(part.get("covered", 0)),
        total=int(part.get("total", 0)),
        other=different(challenger, champion, suite) if champion is not None else "",
    )


def _validation_objections(validation: Mapping[str, bool]) -> list[str]:
    if not validation:
        return ["no corpus behind the model has a validation result"]
    failed = sorted(name for name, passed in validation.items() if not passed)
    return [f"validation failed for {', '.join(failed)}"] if failed else []


def _objections(row: Row) -> list[str]:
    score, held = row.challenger, row.champion
    if score is None:
        return [f"{row.suite} was not measured"]
    if score < row.minimum:
        return [f"{row.suite} {score:.4f} is below the minimum {row.minimum:.4f}"]
    if held is not None and not row.other and score < held - row.max_loss:
        return [f"{row.suite} fell from {held:.4f} to {score:.4f}, by more than the allowed {row.max_loss:.4f}"]
    return []


def _gain_objections(policy: Policy, row: Row, noise: Noise | None) -> list[str]:
    if row.other:
        return [
            f"{row.suite} decides and cannot be compared with the champion's (other: {row.other}); "
            "name a task as decisive: on it both are scored alike"
        ]
    if row.challenger is None or row.champion is None:
        return []
    gain = row.challenger - row.champion
    wanted = f"at least {policy.min_gain:.4f}" if policy.min_gain > 0 else "some"
    change = (
        f"{row.suite} changed by {gain:+.4f}{UNITS.get(row.suite, '')} ({row.champion:.4f} to {row.challenger:.4f})"
    )
    if gain <= 0 or gain < policy.min_gain:
        return [f"{change}; {wanted} gain is demanded"]
    if policy.confidence is None or (noise is not None and noise.gained >= policy.confidence):
        return []
    if noise is None:
        return [f"{change}, and whether that is noise was not tested"]
    tested = f"{_gain(policy)} only in {noise.said()}"
    return [f"{change}, {tested}: may be chance, {_percent(policy.confidence)} are demanded"]


def _cost_objections(limits: Limits, cost: Footprint) -> list[str]:
    found = []
    if limits.megabytes is not None and cost.megabytes > limits.megabytes:
        found.append(f"its files have {cost.megabytes:g} MB, {limits.megabytes:g} are allowed")
    if limits.milliseconds is not None and (cost.milliseconds is None or cost.milliseconds > limits.milliseconds):
        taken = "was not measured" if cost.milliseconds is None else f"takes {cost.milliseconds:g} ms"
        found.append(f"an answer {taken}, {limits.milliseconds:g} ms are allowed")
    return found


def _praise(policy: Policy, row: Row, noise: Noise | None) -> str:
    if row.challenger is None or row.champion is None:
        return f"the champion has no score on {row.suite}; every minimum is reached"
    rose = f"{row.suite} rose from {row.champion:.4f} to {row.challenger:.4f}"
    if noise is not None:
        by = f"{row.challenger - row.champion:+.4f}{UNITS.get(row.suite, '')}"
        rose += f" ({by}), {_gain(policy)} in {noise.said()}"
    return f"{rose}; nothing fell by more than is allowed"


def _gain(policy: Policy) -> str:
    return f"a gain of at least {policy.min_gain:.4f}" if policy.min_gain > 0 else "a gain"


def _percent(share: float) -> str:
    """Two places at most: 94.96% is not shown as the 95% that it falls short of."""
    return f"{100 * share:.4g}%"


def _not_compared(numbers: tuple[Row, ...]) -> list[str]:
    return [f"{row.suite} is not comparable with the champion's (other: {row.other})" for row in numbers if row.other]
