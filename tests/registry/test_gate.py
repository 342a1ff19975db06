"""The gate's policy: what it demands, case by case, and what holds for any scores."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.config.evaluation import Demand, Gate
from firth.errors import FirthError
from firth.registry.gate import Decision, Scores, decide

POLICY = Gate(
    suites={
        "analogies": Demand(minimum=0.02, max_loss=0.02),
        "wordsim353": Demand(minimum=0.35, max_loss=0.02),
    },
    decisive="wordsim353",
)
PASSED = {"news": True}


def scores(analogies: float | None, wordsim: float | None, validation: dict[str, bool] = PASSED, digest: str = "d"):
    def part(score: float | None) -> dict[str, Any]:
        return {"score": score, "low": score, "high": score, "covered": 0 if score is None else 9, "total": 9}

    suites = {"analogies": part(analogies), "wordsim353": part(wordsim)}
    return Scores(suites, {"wordsim353": digest}, validation)


def reason(decision: Decision) -> str:
    assert decision.verdict == "refused"
    assert len(decision.reasons) == 1
    return decision.reasons[0]


def test_the_first_champion_needs_the_minimums() -> None:
    assert decide(POLICY, scores(0.02, 0.35), None).verdict == "promoted"
    assert reason(decide(POLICY, scores(0.0199, 0.5), None)) == "analogies 0.0199 is below the minimum 0.0200"
    assert reason(decide(POLICY, scores(None, 0.5), None)) == "analogies was not measured"


def test_the_decisive_suite_must_gain() -> None:
    assert decide(POLICY, scores(0.05, 0.51), scores(0.05, 0.50)).verdict == "promoted"
    assert "changed by +0.0000" in reason(decide(POLICY, scores(0.05, 0.50), scores(0.05, 0.50)))
    demanding = POLICY.model_copy(update={"min_gain": 0.02})
    assert "at least 0.0200 gain" in reason(decide(demanding, scores(0.05, 0.51), scores(0.05, 0.50)))
    assert decide(demanding, scores(0.05, 0.53), scores(0.05, 0.50)).verdict == "promoted"


def test_no_suite_may_fall_by_more_than_allowed() -> None:
    assert decide(POLICY, scores(0.04, 0.6), scores(0.05, 0.5)).verdict == "promoted"
    fell = reason(decide(POLICY, scores(0.04, 0.6), scores(0.08, 0.5)))
    assert fell == "analogies fell from 0.0800 to 0.0400, by more than the allowed 0.0200"


def test_validation_stands_behind_every_model() -> None:
    assert reason(decide(POLICY, scores(0.1, 0.6, {"a": True, "b": False}), None)) == "validation failed for b"
    assert "no corpus" in reason(decide(POLICY, scores(0.1, 0.6, {}), None))
    lenient = POLICY.model_copy(update={"require_validation": False})
    assert decide(lenient, scores(0.1, 0.6, {}), None).verdict == "promoted"


def test_scores_on_other_files_are_not_compared() -> None:
    with pytest.raises(FirthError, match="different conditions"):
        decide(POLICY, scores(0.1, 0.6), scores(0.1, 0.5, digest="other"))


def test_every_objection_is_listed_with_all_numbers() -> None:
    decision = decide(POLICY, scores(0.01, 0.2, {}), scores(0.5, 0.6))
    assert len(decision.reasons) == 4
    assert [(row.suite, row.challenger, row.champion) for row in decision.numbers] == [
        ("analogies", 0.01, 0.5),
        ("wordsim353", 0.2, 0.6),
    ]


VALUE = st.floats(-1, 1)


@given(VALUE, VALUE, VALUE, VALUE)
def test_no_two_models_may_replace_each_other(a: float, b: float, c: float, d: float) -> None:
    forth = decide(POLICY, scores(a, b), scores(c, d))
    back = decide(POLICY, scores(c, d), scores(a, b))
    assert not (forth.verdict == back.verdict == "promoted")
    assert decide(POLICY, scores(a, b), scores(a, b)).verdict == "refused"


@given(VALUE, VALUE, VALUE, VALUE)
def test_the_promoted_reach_every_demand(a: float, b: float, c: float, d: float) -> None:
    if decide(POLICY, scores(a, b), scores(c, d)).verdict == "promoted":
        assert a >= 0.02
        assert b >= 0.35
        assert a >= c - 0.02
        assert b > d
