"""The ways in which one encoder is used on one task: each is a row of its own in the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from firth.config.usages import Evaluation, Finetuning, Mode
from firth.tasks.examples.files import Examples
from firth.tasks.usages.contextual import BertEncoder, threads
from firth.tasks.usages.encoders import Source
from firth.tasks.usages.finetune import finetune
from firth.tasks.usages.heads import Targets, train_head
from firth.tasks.usages.problems import Problem
from firth.tasks.usages.reading import Encoder, Floats, Reading


@dataclass(frozen=True, eq=False)
class Learner:
    """An encoder in one mode; `suffix` and `note` tell it from the encoder's others, in names and in tables."""

    mode: Mode
    suffix: str
    note: str
    dev: Reading
    details: dict[str, Any]
    learn: Callable[[int, Finetuning], Floats]
    """Seed and settings (which a frozen encoder passes over) to the head's dev outputs: (rows, columns)."""
    settings: Finetuning

    def logits(self, seed: int) -> Floats:
        """The head's outputs for the dev side, learned with the settings of the parameters."""
        return self.learn(seed, self.settings)


def learners(problem: Problem, examples: Examples, source: Source, settings: Evaluation) -> Iterator[Learner]:
    """The encoder in each of the modes that are asked for and that it has."""
    encoder: Encoder = source.load()
    modes = [mode for mode in settings.modes if mode == "frozen" or isinstance(encoder, BertEncoder)]
    if not modes:
        return
    train, dev = problem.read(encoder, examples.train), problem.read(encoder, examples.dev)
    targets = problem.targets(train)
    reach = {name: float(value) for name, value in problem.reach(dev).items()}
    details: dict[str, Any] = {**reach, "learned_from": train.owned(targets.usable)}
    for mode in modes:
        if mode == "frozen":
            learn = _frozen(encoder, train, dev, targets, settings)
            yield Learner(mode, "", "", dev, details, learn, settings.finetuning)
        elif isinstance(encoder, BertEncoder):
            learn = _finetuned(encoder, train, dev, targets)
            yield Learner(mode, "-finetuned", ", fine-tuned", dev, details, learn, settings.finetuning)


def _frozen(
    encoder: Encoder, train: Reading, dev: Reading, targets: Targets, settings: Evaluation
) -> Callable[[int, Finetuning], Floats]:
    features, unseen = encoder.features(train), encoder.features(dev)

    def learn(seed: int, _: Finetuning) -> Floats:
        with threads(1):  # products of a head are too small to share: a second thread would only wait for the first
            return train_head(features, train, targets, settings.head, seed).logits(unseen)

    return learn


def _finetuned(
    encoder: BertEncoder, train: Reading, dev: Reading, targets: Targets
) -> Callable[[int, Finetuning], Floats]:
    return lambda seed, settings: finetune(encoder, train, targets, settings, seed).logits(dev)
