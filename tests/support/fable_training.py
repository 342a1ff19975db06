"""Trainings on the fables, compared to the byte."""


def unwatched(_step, _metrics):
    """Nobody looks."""


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def weights(trained):
    return {name: tensor.numpy() for name, tensor in trained.bert.model.state_dict().items()}


def same(first, second):
    assert weights(first).keys() == weights(second).keys()
    for name, array in weights(first).items():
        assert array.tobytes() == weights(second)[name].tobytes(), name
    assert first.history == second.history
    assert first.metrics == second.metrics
    assert (first.tokens, first.steps) == (second.tokens, second.steps)
