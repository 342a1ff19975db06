"""The ways in which one encoder is used on one task: each is a row of its own in the tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from torch import nn

from firth.config.usages import Evaluation, Finetuning, HeadName, Mode
from firth.tasks.encoders.contextual import BertEncoder, threads
from firth.tasks.encoders.reading import Encoder, Floats, Reading
from firth.tasks.encoders.sources import Source
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.evaluation.cells import bert_identity, vectors_identity
from firth.tasks.evaluation.cut import cut_details, cut_in_words
from firth.tasks.examples.files import Examples
from firth.tasks.learning.bilstm import Network, Tokens, train_bilstm
from firth.tasks.learning.descent import Group
from firth.tasks.learning.finetune import finetune
from firth.tasks.learning.heads import Targets, train_head
from firth.tasks.learning.models import BiLSTMOnStates, BiLSTMOnVectors, LinearOnFeatures, LinearOnTuned, Model
from firth.tasks.learning.stopping import BestEpoch, Learned
from firth.tasks.learning.table import Table
from firth.tasks.learning.tokens import ContextualTokens, Moments, StaticTokens
from firth.tasks.learning.tuned import train_vectors
from firth.tasks.usages.problems import Problem


@dataclass(frozen=True, eq=False)
class Learner:
    """An encoder in one mode under one head; `suffix` and `note` tell it from its others, in names and in tables."""

    mode: Mode
    suffix: str
    note: str
    dev: Reading
    details: dict[str, Any]
    learn: Callable[[int, Finetuning], Learned]
    """Seed and settings (which only a fine-tuned BERT heeds) to what is learned; DivergedError where nothing is."""
    identity: Callable[[], dict[str, Any]] | None = None
    """What a training depends on besides task, settings, seed and code. None: a head that takes seconds to train; it
    is neither kept nor looked at for a collapse."""
    tunable: bool = False
    """Whether the grid of the protocol `paper` is for it."""


Learn = Callable[[int, Finetuning], Learned]


Seen = Callable[[int, Finetuning, Model], None]
"""Told each model, with its seed and settings, that was trained to the last of its epochs."""


def learners(
    problem: Problem, examples: Examples, source: Source, settings: Evaluation, seen: Seen | None = None
) -> Iterator[Learner]:
    """The encoder in each mode under each head that are asked for; a BERT is fine-tuned under the linear one only.

    Of a kept model a line on stderr says whether fine-tuning begins with its head.
    """
    encoder: Encoder = source.load()
    contextual = isinstance(encoder, BertEncoder)
    ways: list[tuple[Mode, HeadName]] = [
        (mode, head)
        for mode in settings.modes
        for head in settings.heads
        if not (contextual and mode == "finetuned" and head == "bilstm")
    ]
    if not ways:
        return
    train, dev = problem.read(encoder, examples.train), problem.read(encoder, examples.dev)
    targets = problem.targets(train)
    reach = {name: float(value) for name, value in problem.reach(dev).items()}
    metric = examples.manifest["metric"]

    def score(logits: Floats) -> float:
        return problem.measures(problem.predict(logits, dev))[metric].score

    details: dict[str, Any] = {**reach, **cut_details(train, dev), "learned_from": train.owned(targets.usable)}
    if (said := cut_in_words(train, dev)) is not None:
        print(f"{source.label}: {said}", file=sys.stderr, flush=True)
    start = None
    if source.start is not None and "finetuned" in settings.modes:
        start, said = source.start(problem.usage)
        print(said, file=sys.stderr, flush=True)
    for mode, head in ways:
        suffix, note = ("", "") if mode == "frozen" else ("-finetuned", ", fine-tuned")
        if head == "bilstm":
            suffix, note = f"{suffix}-bilstm", f"{note}, BiLSTM"
        made = partial(Learner, mode, suffix, note, dev, details)
        if head == "bilstm":
            learn = _bilstm(encoder, train, dev, targets, settings, mode == "finetuned", source.label, seen)
            yield made(learn, partial(_identity, encoder, settings, mode, head))
        elif mode == "frozen":
            yield made(_frozen(encoder, train, dev, targets, settings, seen))
        elif isinstance(encoder, BertEncoder):
            learn = _finetuned(encoder, train, dev, targets, score, settings.rate_from, seen, start)
            yield made(learn, partial(bert_identity, encoder, start), tunable=True)
        elif isinstance(encoder, StaticEncoder):
            learn = _tuned(encoder, train, dev, targets, settings, source.label, seen)
            yield made(learn, partial(_identity, encoder, settings, mode, head))


def _frozen(
    encoder: Encoder, train: Reading, dev: Reading, targets: Targets, settings: Evaluation, seen: Seen | None
) -> Learn:
    features, unseen = encoder.features(train), encoder.features(dev)

    def learn(seed: int, point: Finetuning) -> Learned:
        with threads(1):  # products of a head are too small to share: a second thread would only wait for the first
            head = train_head(features, train, targets, settings.head, seed)
            if seen is not None:
                seen(seed, point, LinearOnFeatures(encoder, head))
            return Learned(head.logits(unseen))

    return learn


def _finetuned(
    encoder: BertEncoder,
    train: Reading,
    dev: Reading,
    targets: Targets,
    score: Callable[[Floats], float],
    rate_from: str,
    seen: Seen | None,
    start: nn.Linear | None,
) -> Learn:
    def learn(seed: int, settings: Finetuning) -> Learned:
        if not settings.early_stopping:
            trained = finetune(encoder, train, targets, settings, seed, None, rate_from, start)
            if seen is not None:
                seen(seed, settings, trained)
            return Learned(trained.logits(dev))
        best = BestEpoch(dev, score, settings.patience)
        finetune(encoder, train, targets, settings, seed, best, rate_from, start)
        return best.learned

    return learn


def _tuned(
    encoder: StaticEncoder,
    train: Reading,
    dev: Reading,
    targets: Targets,
    settings: Evaluation,
    label: str,
    seen: Seen | None,
) -> Learn:
    def learn(seed: int, point: Finetuning) -> Learned:
        with threads(1):
            title = f"{label}: tuned with a head"
            rate = settings.vectors_learning_rate
            network = train_vectors(encoder, train, targets, settings.head, rate, seed, title)
            if seen is not None:
                seen(seed, point, LinearOnTuned(encoder, network))
            return Learned(network.logits(dev))

    return learn


def _bilstm(
    encoder: Encoder,
    train: Reading,
    dev: Reading,
    targets: Targets,
    settings: Evaluation,
    tuned: bool,
    label: str,
    seen: Seen | None,
) -> Learn:
    title = f"{label}: {'tuned with a ' if tuned else ''}BiLSTM"

    @cache
    def frozen() -> tuple[Tokens, Tokens, Callable[[Network], Model]]:
        """Both sides, read once for all seeds, and what makes a model of a network on them."""
        if isinstance(encoder, BertEncoder):
            learned = ContextualTokens(encoder, train)
            moments = Moments(learned.mean, learned.scale)
            return learned, ContextualTokens(encoder, dev, moments), partial(BiLSTMOnStates, encoder, moments)
        assert isinstance(encoder, StaticEncoder)
        table = Table.of(encoder, train.inputs, trained=False)
        unseen = StaticTokens(encoder, dev, table.with_words_of(dev.inputs))
        return StaticTokens(encoder, train, table), unseen, partial(BiLSTMOnVectors, encoder, table)

    def learn(seed: int, point: Finetuning) -> Learned:
        with threads(1):  # a step is many products, one a token, and each is too small to share
            if tuned and isinstance(encoder, StaticEncoder):
                table = Table.of(encoder, train.inputs, trained=True)
                vectors = Group([table.weight], settings.vectors_learning_rate, 0.0, "evaluation.vectors_learning_rate")
                words = StaticTokens(encoder, train, table)
                network = train_bilstm(words, targets, settings.bilstm, seed, title, vectors)
                model: Model = BiLSTMOnVectors(encoder, table, network)
                logits = model.logits(dev)
            else:
                tokens, unseen, on_them = frozen()
                network = train_bilstm(tokens, targets, settings.bilstm, seed, title)
                model, logits = on_them(network), network.logits(unseen)
            if seen is not None:
                seen(seed, point, model)
            return Learned(logits)

    return learn


def _identity(encoder: Encoder, settings: Evaluation, mode: Mode, head: HeadName) -> dict[str, Any]:
    """Of a training that no settings of fine-tuning apply to."""
    whose = bert_identity(encoder) if isinstance(encoder, BertEncoder) else {}
    if isinstance(encoder, StaticEncoder):
        whose = vectors_identity(encoder)
    if mode == "finetuned":
        whose["vectors_learning_rate"] = settings.vectors_learning_rate
    return whose | {head: (settings.bilstm if head == "bilstm" else settings.head).model_dump()}
