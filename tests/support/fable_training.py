"""Trainings on the fables, compared to the byte."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from firth.bert.pretraining.loop import Pretrained


def unwatched(_step: int, _metrics: dict[str, float]) -> None:
    """Nobody looks."""


def weights(trained: Pretrained) -> dict[str, NDArray[Any]]:
    """The weights by name."""
    return {name: tensor.numpy() for name, tensor in trained.bert.model.state_dict().items()}


def same(first: Pretrained, second: Pretrained) -> None:
    """Fail unless both trainings left the same bytes, history and metrics."""
    assert weights(first).keys() == weights(second).keys()
    for name, array in weights(first).items():
        assert array.tobytes() == weights(second)[name].tobytes(), name
    assert first.history == second.history
    assert first.metrics == second.metrics
    assert (first.tokens, first.steps) == (second.tokens, second.steps)
