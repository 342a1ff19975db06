"""How processes share a step: every micro batch once, equally many passes, about as many tokens for each."""

import numpy as np
import pytest
import torch
from fables import fable_store, small_training
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from firth.bert.data.plan import Cursor
from firth.bert.data.shares import SPARE, Share, dealt
from firth.bert.data.steps import Steps
from firth.bert.data.text import Text
from firth.bert.pretraining.losses import cross_entropy
from firth.config.bert import Optimizer, Ramp, SecondPhase


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return fable_store(tmp_path_factory.mktemp("pieces"))


@given(st.lists(st.integers(0, 1000), max_size=70), st.integers(1, 17))
def test_each_micro_batch_has_one_owner_and_all_make_equally_many_passes(tokens, count):
    shares = [Share(rank, count).of(tokens) for rank in range(count)]
    owned = [number for share in shares for number in share if number != SPARE]
    assert sorted(owned) == list(range(len(tokens)))
    assert len({len(share) for share in shares}) == 1
    assert len(shares[0]) >= 1
    assert sum(share.count(SPARE) for share in shares) < max(count, 1) + (not tokens)
    assert all(share[:-1].count(SPARE) == 0 for share in shares)  # spare ones come last, and one at most


@given(st.lists(st.integers(0, 1000), max_size=70), st.integers(1, 17))
def test_hands_hold_equally_many_and_differ_by_what_sizes_of_a_round_do(sizes, hands):
    held = dealt(sizes, hands)
    assert sorted(number for hand in held for number in hand) == list(range(len(sizes)))
    assert all(hand == sorted(hand) for hand in held)
    assert max(map(len, held)) - min(map(len, held)) <= 1
    ordered = sorted(sizes, reverse=True) + [0] * (-len(sizes) % hands)  # no size is a size of 0
    widest = max((ordered[i] - ordered[i + hands - 1] for i in range(0, len(ordered), hands)), default=0)
    sums = [sum(sizes[number] for number in hand) for hand in held]
    assert max(sums) - min(sums) <= widest


BALANCED = {
    "sentence pairs": {},
    "sentence pairs in micro batches": {"micro_batch": 4},
    "single segments": {"next_sentence": False},
    "single segments in micro batches": {"next_sentence": False, "micro_batch": 2},
    "packing": {"packing": True},
    "packing in micro batches": {"packing": True, "micro_batch": 4},
    "packed single segments": {"packing": True, "next_sentence": False},
}


@pytest.mark.parametrize("ranks", [2, 4, 8])
@pytest.mark.parametrize("shape", BALANCED)
def test_no_process_waits_long_for_another(store, shape, ranks):
    """The most tokens of a process over the mean, which is how much longer a step takes than it would in balance."""
    settings = small_training(steps=25, batch=64, devices=ranks, **BALANCED[shape])
    shares = [Steps(Text.of(store.train), store.tokenizer, settings, Share(rank, ranks)) for rank in range(ranks)]
    cursor, tokens, computed = Cursor(), [], []
    for number in range(settings.steps):
        parts = [share.at(number, cursor) for share in shares]
        tokens.append([part.tokens for part in parts])
        computed.append([part.counts.computed for part in parts])
        cursor = parts[0].after
    for found in (np.array(tokens), np.array(computed)):
        assert np.mean(found.max(axis=1) / found.mean(axis=1)) < 1.05
    if settings.packing:
        assert np.ptp(computed) == 0


SHAPES = {
    "a last small one": {"batch": 10, "micro_batch": 0},
    "more processes than micro batches": {"batch": 3, "micro_batch": 1, "ramp": Ramp(start=1, steps=5)},
    "a ramp": {"batch": 12, "micro_batch": 2, "ramp": Ramp(start=2, steps=5)},
    "packing": {"batch": 12, "micro_batch": 4, "packing": True},
    "packing and a ramp": {"batch": 12, "micro_batch": 2, "packing": True, "ramp": Ramp(start=2, steps=5)},
    "two phases": {"batch": 16, "micro_batch": 4, "second_phase": SecondPhase(share=0.5, length=24, micro_batch=2)},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shares_of_a_step_are_its_micro_batches(store, shape):
    settings = small_training(steps=8, devices=3, **SHAPES[shape])
    whole, *shares = (
        Steps(Text.of(store.train), store.tokenizer, settings, share)
        for share in (None, Share(0, 3), Share(1, 3), Share(2, 3))
    )
    cursor, spares = Cursor(), 0
    for number in range(8):
        step = whole.at(number, cursor)
        parts = [share.at(number, cursor) for share in shares]
        assert {part.after for part in parts} == {step.after}
        assert len({len(part.batches) for part in parts}) == 1
        owned = {}
        for part in parts:
            for which, batch in zip(part.numbers, part.batches, strict=True):
                if which == SPARE:
                    spares += 1
                    assert (batch.tokens, batch.predictions, batch.instances) == (0, 0, 0)
                else:
                    owned[which] = batch
        assert sorted(owned) == step.numbers == list(range(len(step.batches)))
        for which, batch in enumerate(step.batches):
            assert torch.equal(owned[which].ids, batch.ids)
            assert torch.equal(owned[which].predicted, batch.predicted)
            assert torch.equal(owned[which].masked_lm_labels, batch.masked_lm_labels)
        for name in ("tokens", "predictions", "instances"):
            assert sum(getattr(part, name) for part in parts) == getattr(step, name)
        cursor = step.after
    assert spares or shape in ("a last small one", "packing")


def test_the_instances_of_a_step_do_not_depend_on_the_number_of_processes(store):
    def contents(devices):
        settings = small_training(steps=8, batch=10, devices=devices, ramp=Ramp(start=3, steps=6))
        steps, cursor, found = Steps(Text.of(store.train), store.tokenizer, settings), Cursor(), []
        for number in range(8):
            step = steps.at(number, cursor)
            rows = [
                tuple(ids.tolist())
                for batch in step.batches
                for ids in np.split(batch.ids, batch.layout.offsets[1:-1])[: batch.instances]
            ]
            found.append(sorted(rows))
            cursor = step.after
        return found

    assert contents(1) == contents(2) == contents(4)
    assert [len(step) for step in contents(1)] == [3, 4, 5, 6, 8, 9, 10, 10]


def test_a_spare_micro_batch_weighs_nothing(store):
    settings = small_training(batch=2, micro_batch=2, devices=1, dropout=0.0)
    share = Steps(Text.of(store.train), store.tokenizer, settings, Share(1, 2))
    step = share.at(0, Cursor())
    assert step.numbers == [SPARE]
    logits = torch.randn(len(step.batches[0].masked_lm_labels), len(store.tokenizer), requires_grad=True)
    loss = cross_entropy(logits, step.batches[0].masked_lm_labels)
    loss.backward()
    assert loss.item() == 0.0
    assert not logits.grad.any()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"devices": 3, "batch": 8, "micro_batch": 4}, r"devices \(3\) must not exceed the micro batches .* \(2\)"),
        ({"devices": 9, "batch": 8}, r"devices \(9\) must not exceed the micro batches .* \(8\)"),
        ({"devices": 2, "strategy": "fsdp", "optimizer": Optimizer(name="lamb", warmup_steps=2)}, "fsdp goes with"),
        ({"devices": 2, "strategy": "fsdp", "compile": True}, "fsdp goes with"),
    ],
)
def test_processes_without_work_and_what_cannot_be_shared_out_are_refused(changes, said):
    with pytest.raises(ValidationError, match=said):
        small_training(**changes)
