"""The ways in which one encoder is used on one task: each is a row of its own in the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from firth.config.usages import Evaluation, Finetuning, Mode
from firth.tasks.examples.files import Examples
from firth.tasks.usages.cells import bert_identity
from firth.tasks.usages.contextual import BertEncoder, threads
from firth.tasks.usages.encoders import Source
from firth.tasks.usages.finetune import finetune
from firth.tasks.usages.heads import Targets, train_head
from firth.tasks.usages.problems import Problem
from firth.tasks.usages.reading import Encoder, Floats, Reading
from firth.tasks.usages.stopping import BestEpoch, Learned


@dataclass(frozen=True, eq=False)
class Learner:
    """An encoder in one mode; `suffix` and `note` tell it from the encoder's others, in names and in tables."""

    mode: Mode
    suffix: str
    note: str
    dev: Reading
    details: dict[str, Any]
    learn: Callable[[int, Finetuning], Learned]
    """Seed and settings (which a frozen encoder passes over) to what is learned."""
    identity: Callable[[], dict[str, Any]] | None = None
    """What a training depends on besides task, settings, seed and code. None: a head that takes seconds to train; it
    is neither kept nor looked at for a collapse."""
    tunable: bool = False
    """Whether the grid of the protocol `paper` is for it."""


def learners(problem: Problem, examples: Examples, source: Source, settings: Evaluation) -> Iterator[Learner]:
    """The encoder in each of the modes that are asked for and that it has."""
    encoder: Encoder = source.load()
    modes = [mode for mode in settings.modes if mode == "frozen" or isinstance(encoder, BertEncoder)]
    if not modes:
        return
    train, dev = problem.read(encoder, examples.train), problem.read(encoder, examples.dev)
    targets = problem.targets(train)
    reach = {name: float(value) for name, value in problem.reach(dev).items()}
    metric = examples.manifest["metric"]

    def score(logits: Floats) -> float:
        return problem.measures(problem.predict(logits, dev))[metric].score

    details: dict[str, Any] = {**reach, "learned_from": train.owned(targets.usable)}
    for mode in modes:
        if mode == "frozen":
            learn = _frozen(encoder, train, dev, targets, settings)
            yield Learner(mode, "", "", dev, details, learn)
        elif isinstance(encoder, BertEncoder):
            learn = _finetuned(encoder, train, dev, targets, score)
            identity = partial(bert_identity, encoder)
            yield Learner(mode, "-finetuned", ", fine-tuned", dev, details, learn, identity, tunable=True)


def _frozen(
    encoder: Encoder, train: Reading, dev: Reading, targets: Targets, settings: Evaluation
) -> Callable[[int, Finetuning], Learned]:
    features, unseen = encoder.features(train), encoder.features(dev)

    def learn(seed: int, _: Finetuning) -> Learned:
        with threads(1):  # products of a head are too small to share: a second thread would only wait for the first
            return Learned(train_head(features, train, targets, settings.head, seed).logits(unseen))

    return learn


def _finetuned(
    encoder: BertEncoder, train: Reading, dev: Reading, targets: Targets, score: Callable[[Floats], float]
) -> Callable[[int, Finetuning], Learned]:
    def learn(seed: int, settings: Finetuning) -> Learned:
        if not settings.early_stopping:
            return Learned(finetune(encoder, train, targets, settings, seed).logits(dev))
        best = BestEpoch(dev, score)
        finetune(encoder, train, targets, settings, seed, best)
        return best.learned

    return learn
