"""Trainings that came to nothing: heads and encoders tuned together sometimes do, on small sets above all.

A training has collapsed where its predictions are all the same, or where it scores no better than the answer that looks
at no example: where the paired 95% bootstrap interval of the difference reaches down to 0. That answer is the majority
one where a label, an ending or a span is asked for; the most frequent tag for all words; and one number for all pairs,
whose correlation is 0. (The guess that stands as `majority` beside tags and numbers knows the words: a training that is
behind it is weak, but has not collapsed.) What says that a training has collapsed can therefore also be an encoder that
cannot do a task, or a dev side too small to tell.
"""

from __future__ import annotations

from typing import Any

from firth.tasks.examples.files import Examples
from firth.tasks.measures.measures import Score
from firth.tasks.usages.labels import most_frequent
from firth.tasks.usages.problems import Problem


class Collapse:
    """Tells the trainings on one data set that have collapsed."""

    def __init__(self, problem: Problem, examples: Examples, resamples: int) -> None:
        self._problem, self._metric, self._resamples = problem, examples.manifest["metric"], resamples
        self._nothing = problem.measures(unseeing(problem, examples))[self._metric]

    def found(self, predicted: list[Any], measure: Score) -> bool:
        """Whether the training that predicted this, with the score `measure`, has collapsed."""
        if self._problem.constant(predicted) or measure.score <= self._nothing.score:
            return True
        return measure.ties_with(self._nothing, self._resamples)


def unseeing(problem: Problem, examples: Examples) -> list[Any]:
    """The answers for the dev side that look at no example."""
    if examples.kind == "number":
        return [0.0] * len(examples.dev)
    if examples.kind == "tagging":
        tag = most_frequent([tag for example in examples.train for tag in example["tags"]])
        return [[tag] * len(example["tokens"]) for example in examples.dev]
    return problem.baseline()[0]
