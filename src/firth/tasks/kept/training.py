"""The trainings whose models can be kept, each made by itself; `firth.tasks.evaluation.learners` makes them by series.

The same seed and settings give the same weights here as there.
"""

from __future__ import annotations

from firth.config.usages import Evaluation
from firth.tasks.encoders.contextual import BertEncoder, threads
from firth.tasks.encoders.reading import Reading
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.kept.forms import Form
from firth.tasks.learning.bilstm import train_bilstm
from firth.tasks.learning.descent import Group
from firth.tasks.learning.heads import Targets, train_head
from firth.tasks.learning.models import BiLSTMOnStates, BiLSTMOnVectors, LinearOnFeatures, LinearOnTuned, Model
from firth.tasks.learning.table import Table
from firth.tasks.learning.tokens import ContextualTokens, Moments, StaticTokens
from firth.tasks.learning.tuned import train_vectors


def trained(
    form: Form,
    encoder: BertEncoder | StaticEncoder,
    train: Reading,
    targets: Targets,
    settings: Evaluation,
    seed: int,
    label: str,
) -> Model:
    """A model of any form but a fine-tuned BERT.

    Args:
        form: which; its encoder is of the kind of `encoder`.
        encoder: what read the training side.
        train: that side.
        targets: what is learned.
        settings: those of the evaluation.
        seed: of the training.
        label: what progress lines call the encoder.

    Raises:
        FirthError: the training diverged.
    """
    if form.head == "bilstm":
        return _bilstm(encoder, train, targets, settings, seed, label, tuned=form.mode == "finetuned")
    if form.mode == "frozen":
        features = encoder.features(train)
        with threads(1):
            return LinearOnFeatures(encoder, train_head(features, train, targets, settings.head, seed))
    assert isinstance(encoder, StaticEncoder)
    with threads(1):
        title, rate = f"{label}: tuned with a head", settings.vectors_learning_rate
        return LinearOnTuned(encoder, train_vectors(encoder, train, targets, settings.head, rate, seed, title))


def _bilstm(
    encoder: BertEncoder | StaticEncoder,
    train: Reading,
    targets: Targets,
    settings: Evaluation,
    seed: int,
    label: str,
    tuned: bool,
) -> Model:
    title = f"{label}: {'tuned with a ' if tuned else ''}BiLSTM"
    with threads(1):
        if isinstance(encoder, BertEncoder):
            states = ContextualTokens(encoder, train)
            network = train_bilstm(states, targets, settings.bilstm, seed, title)
            return BiLSTMOnStates(encoder, Moments(states.mean, states.scale), network)
        table = Table.of(encoder, train.inputs, trained=tuned)
        vectors = Group([table.weight], settings.vectors_learning_rate, 0.0, "evaluation.vectors_learning_rate")
        words = StaticTokens(encoder, train, table)
        network = train_bilstm(words, targets, settings.bilstm, seed, title, vectors if tuned else None)
        return BiLSTMOnVectors(encoder, table, network)
