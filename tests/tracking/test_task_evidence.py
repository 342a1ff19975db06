"""Which row of a task's results is the evidence about a model, and what makes two such rows comparable."""

from __future__ import annotations

from typing import Any

import pytest

from firth.config.usages import Evaluation, Finetuning
from firth.tracking.evidence import settings_of, system_of, task_conditions, task_result, ways


def results(settings: Evaluation) -> dict[str, Any]:
    systems = [
        {"system": f"bert{suffix}", "encoder": "bert", "mode": mode, "score": score, "low": 0.1, "high": 0.9,
         "tie_with_majority": False, "seeds": [score, score - 0.1]}
        for suffix, mode, score in (
            ("", "frozen", 0.5), ("-bilstm", "frozen", 0.6), ("-finetuned", "finetuned", 0.7),
            ("-finetuned-ensemble", "finetuned", 0.8),
        )
    ]  # fmt: skip
    return {
        "task": "toy", "metric": "accuracy", "examples": {"dev": 9}, "digests": {"dev": "0", "train": "1"},
        "settings": settings.model_dump(mode="json"), "systems": systems,
    }  # fmt: skip


def test_the_first_way_is_read_and_never_an_ensemble() -> None:
    for modes, heads, score in (
        (["frozen", "finetuned"], ["linear", "bilstm"], 0.5),
        (["finetuned", "frozen"], ["linear"], 0.7),
        (["frozen"], ["bilstm", "linear"], 0.6),
    ):
        settings = Evaluation.model_validate({"modes": modes, "heads": heads, "ensemble": True})
        found = task_result(results(settings), "bert", ways(settings))
        assert found is not None
        assert found.score == score
        assert found.part()["score_of"] == "median of 2 seeds"
    assert task_result(results(Evaluation()), "cbow", ways(Evaluation())) is None


@pytest.mark.parametrize("way", ["frozen", "bilstm", "finetuned", "finetuned-bilstm"])
def test_a_way_and_its_settings(way: str) -> None:
    settings = Evaluation.model_validate(Evaluation().model_dump() | settings_of(way))
    assert ways(settings) == [way]
    assert system_of("bert", way) == ("bert" if way == "frozen" else f"bert-{way}")


def test_what_makes_no_difference_to_a_score_keeps_it_comparable() -> None:
    plain = Evaluation(modes=["finetuned"])
    others = {
        "protocol": plain.model_copy(update={"protocol": "paper"}),
        "restarts": plain.model_copy(update={"restarts": 2}),
        "finetuning": plain.model_copy(update={"finetuning": Finetuning(epochs=4)}),
        "ensemble": plain.model_copy(update={"ensemble": True}),
        "seeds": plain.model_copy(update={"seeds": [1]}),
    }
    for way, differ in (("frozen", {"seeds"}), ("finetuned", {"protocol", "restarts", "finetuning", "seeds"})):
        base = task_conditions(results(plain), way)
        found = {name for name, other in others.items() if task_conditions(results(other), way) != base}
        assert found == differ
