"""Fine-tuning epoch by epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from usage_examples import bert, draw, examples_of

from firth.config.usages import Finetuning
from firth.tasks.usages.contextual import BertEncoder
from firth.tasks.usages.finetune import Finetuned, finetune
from firth.tasks.usages.heads import Targets
from firth.tasks.usages.problems import problem_of
from firth.tasks.usages.reading import Reading

SETTINGS = Finetuning(learning_rate=3e-3, epochs=3, batch=16)


@pytest.fixture
def encoder() -> BertEncoder:
    return BertEncoder(bert())


def readings(folder: Path, encoder: BertEncoder, kind: str = "text") -> tuple[Reading, Targets, Reading]:
    examples = examples_of(folder, kind, draw(kind, 60, 1), draw(kind, 30, 2))
    problem = problem_of(examples)
    train = problem.read(encoder, examples.train)
    return train, problem.targets(train), problem.read(encoder, examples.dev)


def test_what_looks_at_an_epoch_changes_nothing(tmp_path: Path, encoder: BertEncoder) -> None:
    train, targets, dev = readings(tmp_path, encoder)
    looks = []

    def look(finetuned: Finetuned, epoch: int) -> bool:
        assert not finetuned.model.training
        looks.append((epoch, finetuned.logits(dev)))
        torch.rand(7)
        return False

    watched = finetune(encoder, train, targets, SETTINGS, 1, look)
    alone = finetune(encoder, train, targets, SETTINGS, 1)
    assert [epoch for epoch, _ in looks] == [1, 2, 3]
    assert np.array_equal(watched.logits(dev), alone.logits(dev))
    assert np.array_equal(looks[-1][1], alone.logits(dev))
    assert not np.array_equal(looks[0][1], looks[1][1])


def test_true_ends_the_training(tmp_path: Path, encoder: BertEncoder) -> None:
    train, targets, dev = readings(tmp_path, encoder)
    seen = []

    def look(finetuned: Finetuned, epoch: int) -> bool:
        seen.append(finetuned.logits(dev))
        return epoch == 2

    ended = finetune(encoder, train, targets, SETTINGS, 1, look)
    assert len(seen) == 2
    assert np.array_equal(ended.logits(dev), seen[-1])
    assert not ended.model.training
