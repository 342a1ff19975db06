"""A kept model as what a further training begins with: its encoder, and its head where that answers the same question.

So SQuAD goes on after a further training set, as the paper does after TriviaQA; RTE after MNLI has other labels, and
takes the encoder alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from firth.config.usages import Evaluation
from firth.tasks.encoders import sources
from firth.tasks.encoders.contextual import BertEncoder
from firth.tasks.encoders.device import device_of
from firth.tasks.encoders.reading import Encoder
from firth.tasks.encoders.sources import Source, Start
from firth.tasks.kept.folder import Kept, is_kept, load
from firth.tasks.kept.forms import FINETUNED, FORMS
from firth.tasks.learning.finetune import Finetuned
from firth.tasks.usages.usage import KINDS, Tags, TextLabels, Usage


def from_folder(folder: Path, label: str, settings: Evaluation) -> Source:
    """As `firth.tasks.encoders.sources.from_folder`; that of a kept model has a `start`."""
    source = sources.from_folder(folder, label, settings)
    if not is_kept(folder):
        return source
    return replace(
        source, load=partial(_encoder, folder, label, settings), start=partial(_start, folder, label, settings)
    )


def _encoder(folder: Path, label: str, settings: Evaluation) -> Encoder:
    encoder = load(folder).encoder
    if isinstance(encoder, BertEncoder):
        return BertEncoder(
            encoder.bert, settings.pooling, settings.layers, label, settings.threads, device_of(settings)
        )
    return encoder


def _start(folder: Path, label: str, settings: Evaluation, usage: Usage) -> Start:
    kept = load(folder)
    if other := _other(kept, settings, usage):
        return Start(None, f"{label}: fine-tuning begins with a new head; the kept one {other}")
    assert isinstance(kept.model, Finetuned)
    return Start(_in_order(kept, usage), f"{label}: fine-tuning begins with the kept head ({kept.kind})")


def _other(kept: Kept, settings: Evaluation, usage: Usage) -> str:
    """In what the kept head is another one than `usage` needs; nothing where it is not."""
    if kept.form != FINETUNED:
        return f"is of {FORMS[kept.form]}"
    if KINDS[kept.kind] is not type(usage):
        return f"is for {kept.kind}"
    encoder = kept.encoder
    assert isinstance(encoder, BertEncoder)
    if encoder.layers != settings.layers:
        return f"reads the layers {encoder.layers}"
    if kept.kind not in ("span", "tagging") and encoder.pooling != settings.pooling:
        return f"reads the pooling {encoder.pooling}"
    return _other_outputs(kept.usage, usage)


def _other_outputs(theirs: Usage, ours: Usage) -> str:
    if not isinstance(ours, TextLabels | Tags) or not isinstance(theirs, TextLabels | Tags):
        return ""
    if set(ours.labels) != set(theirs.labels):
        return f"has the labels {', '.join(theirs.labels)}"
    if ours.columns != theirs.columns:
        return f"has {'no ' if ours.columns > theirs.columns else 'the '}label X"
    return ""


def _in_order(kept: Kept, usage: Usage) -> nn.Linear:
    """The kept head, its outputs in the order of `usage`."""
    assert isinstance(kept.model, Finetuned)
    head = kept.model.head
    order: Sequence[int] = range(usage.columns)
    if isinstance(usage, TextLabels | Tags) and isinstance(kept.usage, TextLabels | Tags):
        places = [list(kept.usage.labels).index(label) for label in usage.labels]
        order = [*places, *order[len(places) :]]
    with torch.no_grad():
        head.weight.copy_(head.weight[list(order)])
        head.bias.copy_(head.bias[list(order)])
    return head
