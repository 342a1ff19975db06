"""What a step holds: as many instances as are asked for or fit, each once, whatever the layout."""

import numpy as np
import pytest
from fables import fable_store, small_training

from firth.bert.data.plan import Cursor
from firth.bert.data.steps import PHASES_APART, Steps
from firth.bert.data.text import Text
from firth.config.bert import Ramp, SecondPhase


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return fable_store(tmp_path_factory.mktemp("pieces"))


def steps_of(store, **changes):
    return Steps(Text.of(store.train), store.tokenizer, small_training(**changes))


def following(steps, count, cursor=None):
    cursor, found = cursor or Cursor(), []
    for number in range(count):
        found.append(steps.at(number, cursor))
        cursor = found[-1].after
    return found


def contents(step):
    """The instances of a step, as tuples of ids, sorted."""
    found = []
    for batch in step.batches:
        bounds = batch.layout.offsets.tolist()
        found += [tuple(batch.ids[bounds[i] : bounds[i + 1]].tolist()) for i in range(batch.instances)]
    return sorted(found)


def test_a_step_has_its_instances_whatever_the_micro_batches(store):
    whole, parts = (following(steps_of(store, batch=12, micro_batch=size), 6) for size in (0, 4))
    for one, other in zip(whole, parts, strict=True):
        assert len(one.batches) == 1
        assert len(other.batches) == 3
        assert one.instances == other.instances == 12
        assert contents(one) == contents(other)
        assert one.after == other.after
        assert max(one.padding, other.padding) < 0.05
        assert one.tokens == other.tokens == sum(map(len, contents(one)))


@pytest.mark.parametrize("micro", [0, 4])
def test_packing_fills_steps_and_leaves_no_instance_out(store, micro):
    packed = following(steps_of(store, batch=16, micro_batch=micro, packing=True), 8)
    shapes = {(len(batch.ids), len(batch.predicted), len(batch.layout.offsets)) for s in packed for batch in s.batches}
    assert len(shapes) == 1
    assert {len(batch.ids) for step in packed for batch in step.batches} == {(micro or 16) * 48}
    every = [instance for step in packed for instance in contents(step)]
    plain, cursor, steps = [], Cursor(), steps_of(store, batch=1)
    while len(plain) < len(every):
        step = steps.at(0, cursor)
        plain, cursor = plain + contents(step), step.after
    assert sorted(plain) == sorted(every)
    assert packed[-1].after == cursor


def test_packed_steps_of_many_instances_are_nearly_full(store):
    """Less than one percent of padding where a step holds some hundred instances."""
    packed = following(steps_of(store, batch=256, packing=True), 4)
    assert np.mean([step.padding for step in packed]) < 0.01


def test_a_ramp_grows_by_whole_micro_batches(store):
    steps = steps_of(store, batch=32, micro_batch=4, ramp=Ramp(start=4, steps=10))
    sizes = [steps.rows(number) for number in range(12)]
    assert sizes[0] == 4
    assert sizes[10:] == [32, 32]
    assert sizes == sorted(sizes)
    assert {size % 4 for size in sizes} == {0}
    assert [step.instances for step in following(steps, 12)] == sizes


def test_the_second_phase_has_its_own_length_and_its_own_instances(store):
    second = SecondPhase(share=0.25, length=24, batch=6)
    steps = steps_of(store, steps=8, batch=12, second_phase=second)
    found = following(steps, 8)
    assert [step.instances for step in found] == [12] * 6 + [6] * 2
    assert max(map(len, contents(found[5]))) > 24
    assert all(max(map(len, contents(step))) <= 24 for step in found[6:])
    assert found[5].after.epoch < PHASES_APART <= found[6].after.epoch
    again = steps.at(7, found[6].after)
    assert contents(again) == contents(found[7])
