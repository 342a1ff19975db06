"""The gate's policy: what it demands, case by case, and what holds for any scores."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firth.config.evaluation import Demand, Limits, Policy
from firth.registry import gate
from firth.registry.footprint import Footprint
from firth.registry.gate import Decision, Noise, Scores

POLICY = Policy(
    suites={
        "analogies": Demand(minimum=0.02, max_loss=0.02),
        "wordsim353": Demand(minimum=0.35, max_loss=0.02),
    },
    decisive="wordsim353",
)
MLM = Policy(
    suites={"mlm": Demand(minimum=0.4, max_loss=0.02), "reports": Demand(minimum=0.6, max_loss=0.02)}, decisive="mlm"
)
PASSED = {"news": True}
SMALL = Footprint(1.0)


def decide(
    policy: Policy,
    challenger: Scores,
    champion: Scores | None,
    validated: bool = True,
    cost: Footprint = SMALL,
    noise: Noise | None = None,
) -> Decision:
    return gate.decide(policy, validated, challenger, champion, cost, noise)


def scores(analogies: float | None, wordsim: float | None, validation: dict[str, bool] = PASSED, digest: str = "d"):
    def part(score: float | None) -> dict[str, Any]:
        return {"score": score, "low": score, "high": score, "covered": 0 if score is None else 9, "total": 9}

    suites = {"analogies": part(analogies), "wordsim353": part(wordsim)}
    return Scores(suites, {"analogies": {"file": "a"}, "wordsim353": {"file": digest}}, validation)


def bert(gain: float, reports: float, tokenizer: str = "t", heldout: str = "h") -> Scores:
    suites = {"mlm": {"score": gain, "covered": 9, "total": 9}, "reports": {"score": reports, "low": 0.1, "high": 0.9}}
    conditions = {"mlm": {"tokenizer": tokenizer, "heldout": heldout}, "reports": {"dev": "d"}}
    return Scores(suites, conditions, PASSED)


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
    assert decide(POLICY, scores(0.1, 0.6, {}), None, validated=False).verdict == "promoted"


def test_a_decisive_suite_under_other_conditions_decides_nothing() -> None:
    """Another vocabulary makes the held-out loss another quantity: more of it is no gain, less no loss."""
    for gain in (0.9, 0.41):
        refused = reason(decide(MLM, bert(gain, 0.7, tokenizer="u", heldout="i"), bert(0.5, 0.7)))
        assert refused.startswith("mlm decides and cannot be compared with the champion's (other: vocabulary, held-out")
        assert "name a task as decisive" in refused


def test_a_suite_that_cannot_be_compared_leaves_the_decision_to_the_others() -> None:
    own = MLM.model_copy(update={"decisive": "reports"})
    promoted = decide(own, bert(0.41, 0.75, tokenizer="u"), bert(0.9, 0.7))
    assert promoted.verdict == "promoted"
    assert "mlm is not comparable with the champion's (other: vocabulary)" in promoted.reasons
    assert [row.other for row in promoted.numbers] == ["vocabulary", ""]
    assert "reports changed by -0.0100" in reason(decide(own, bert(0.9, 0.69, tokenizer="u"), bert(0.5, 0.7)))
    below = reason(decide(own, bert(0.3, 0.8, tokenizer="u"), bert(0.5, 0.7)))
    assert below == "mlm 0.3000 is below the minimum 0.4000", "a minimum needs no champion"


def test_a_gain_must_be_more_than_noise_where_that_is_asked() -> None:
    sure = MLM.model_copy(update={"decisive": "reports", "confidence": 0.95})
    ours, champion = bert(0.5, 0.72), bert(0.5, 0.70)
    promoted = decide(sure, ours, champion, noise=Noise(0.95, 1000, "600 dev examples"))
    assert promoted.reasons[0] == (
        "reports rose from 0.7000 to 0.7200 (+0.0200), a gain in 95% of 1,000 resamples of 600 dev examples; nothing "
        "fell by more than is allowed"
    )
    assert reason(decide(sure, ours, champion, noise=Noise(0.9496, 1000, "600 dev examples"))) == (
        "reports changed by +0.0200 (0.7000 to 0.7200), a gain only in 94.96% of 1,000 resamples of 600 dev examples: "
        "may be chance, 95% are demanded"
    )
    assert "whether that is noise was not tested" in reason(decide(sure, ours, champion))
    assert decide(sure, ours, None).verdict == "promoted", "a first champion gains on nobody"
    unasked = sure.model_copy(update={"confidence": None})
    assert decide(unasked, ours, champion).verdict == "promoted"
    by_loss = MLM.model_copy(update={"confidence": 0.95, "min_gain": 0.01})
    assert (
        decide(by_loss, bert(0.53, 0.7), champion, noise=Noise(0.998, 1000, "512 held-out instances"))
        .reasons[0]
        .startswith("mlm rose from 0.5000 to 0.5300 (+0.0300 nats), a gain of at least 0.0100 in 99.8% of 1,000 ")
    )


def test_a_model_that_costs_too_much_stays_below() -> None:
    limits = Limits(megabytes=10.0, milliseconds=5.0)
    policy = POLICY.model_copy(update={"limits": limits})
    good = scores(0.05, 0.5)
    assert decide(policy, good, None, cost=Footprint(10.0, 5.0)).verdict == "promoted"
    large = decide(policy, good, None, cost=Footprint(10.5, 1.0))
    assert reason(large) == "its files have 10.5 MB, 10 are allowed"
    assert reason(decide(policy, good, None, cost=Footprint(1.0, 5.25))) == "an answer takes 5.25 ms, 5 ms are allowed"
    assert "was not measured" in reason(decide(policy, good, None, cost=Footprint(1.0)))
    assert decide(POLICY, good, None, cost=Footprint(1e6)).verdict == "promoted", "no limit, no objection"


def test_what_the_champion_was_never_measured_on_is_not_compared() -> None:
    champion = Scores({"mlm": {"score": 0.5}}, {"mlm": {"tokenizer": "t", "heldout": "h"}}, PASSED)
    own = MLM.model_copy(update={"decisive": "reports"})
    assert "reports decides and cannot be compared" in reason(decide(own, bert(0.5, 0.9), champion))


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
