from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fables import fable_store, small_training

from firth.bert.architecture import Architecture
from firth.bert.model import Pretraining, initialise
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.evaluation import HeldOut, unigram_losses
from firth.config import bert as config


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return fable_store(tmp_path_factory.mktemp("pieces"))


@pytest.fixture(scope="module")
def model(store):
    model = Pretraining(Architecture.of("tiny", len(store.tokenizer), 64))
    initialise(model, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)  # so that guesses differ
    return model


def test_a_look_is_what_one_instance_after_the_other_amounts_to(store, model):
    settings = small_training()
    held = HeldOut.of(store, settings, 7)
    look = held.look(model.train(), Device.of(settings))
    assert model.training
    labels, losses, right, pair_losses, pair_labels, pair_right, rows = [], [], [], [], [], [], 0
    model.eval()
    for batch in held.batches:
        bounds = batch.layout.offsets.tolist()
        for row, (first, end) in enumerate(pairwise(bounds)):
            own = (batch.predicted >= first) & (batch.predicted < end)
            with torch.no_grad():
                logits = model(
                    batch.ids[None, first:end], batch.segments[None, first:end], None, batch.predicted[own] - first
                )
            labels += batch.masked_lm_labels[own].tolist()
            losses += F.cross_entropy(logits.mlm, batch.masked_lm_labels[own], reduction="none").tolist()
            right += (logits.mlm.argmax(-1) == batch.masked_lm_labels[own]).tolist()
            label = batch.next_sentence_labels[row : row + 1]
            pair_losses.append(F.cross_entropy(logits.nsp, label).item())
            pair_labels.append(int(label))
            pair_right.append(bool(logits.nsp.argmax(-1) == label))
            rows += 1
    counts = store.unigrams + 1
    assert look == {
        "mlm_loss": pytest.approx(np.mean(losses), abs=1e-5),
        "mlm_accuracy": np.mean(right),
        "nsp_loss": pytest.approx(np.mean(pair_losses), abs=1e-5),
        "nsp_accuracy": np.mean(pair_right),
        "nsp_majority": max(pair_labels.count(0), pair_labels.count(1)) / rows,
        "unigram_loss": pytest.approx(-np.mean(np.log(counts[labels] / counts.sum()))),
        "predictions": len(labels),
        "instances": rows,
    }


def test_looks_are_the_same_each_time_whatever_the_trainings_seed(store, model):
    device = Device("cpu", "fp32")
    first, second = (HeldOut.of(store, small_training(seed=seed), 7).look(model, device) for seed in (1, 2))
    assert first == second
    assert HeldOut.of(store, small_training(), 8).look(model, device) != first


def test_at_most_so_many_instances(store):
    settings = small_training(length=16, next_sentence=False, heldout=config.HeldOut(instances=17))
    held = HeldOut.of(store, settings, 7)
    assert sum(batch.instances for batch in held.batches) == 17


def test_guessing_by_frequency_costs_minus_the_log_of_it():
    losses = unigram_losses(np.array([0, 8, 0]))
    np.testing.assert_allclose(np.exp(-losses), [1 / 11, 9 / 11, 1 / 11])
