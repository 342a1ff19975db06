"""Trainings on the fables, compared to the byte."""

from killing import Killed

__all__ = ["Killed", "same", "unwatched", "weights"]


def unwatched(_step, _metrics):
    """Nobody looks."""


def weights(trained):
    return {name: tensor.numpy() for name, tensor in trained.bert.model.state_dict().items()}


def same(first, second):
    assert weights(first).keys() == weights(second).keys()
    for name, array in weights(first).items():
        assert array.tobytes() == weights(second)[name].tobytes(), name
    assert first.history == second.history
    assert first.metrics == second.metrics
    assert (first.tokens, first.steps) == (second.tokens, second.steps)
