"""Packed batches: the same losses and gradients as rows with padding, fixed shapes, nothing dropped."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from one_thread import one_thread  # noqa: F401
from packed_batches import LENGTH, gradients, losses, rows, without_dropout
from toy_bert import toy_bert

from firth.bert import attention
from firth.bert.attention import Packed, attend
from firth.bert.data.instances import Batch
from firth.bert.data.packing import IGNORED, Capacity, fit, pack


@pytest.mark.parametrize("capacity", [None, Capacity(64, 9, 24, LENGTH), Capacity(30, 3, 7, LENGTH)])
@pytest.mark.parametrize("lengths", [[12, 7, 3, 8], [12, 12], [5]])
def test_packed_and_padded_have_the_same_losses_and_gradients(lengths, capacity):
    """Also with spare tokens, and where a capacity turns out to be too small."""
    model = toy_bert(layers=2, positions=LENGTH).model.train()
    without_dropout(model)
    padded = rows(lengths, [max(1, length // 4) for length in lengths])
    packed = pack(padded, capacity)
    expected = losses(
        model(padded.ids, padded.segments, padded.mask, padded.predicted),
        padded.masked_lm_labels,
        padded.next_sentence_labels,
    )
    logits = model.packed(packed.ids, packed.segments, packed.layout, packed.predicted)
    found = losses(logits, packed.masked_lm_labels, packed.next_sentence_labels)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    first, second = gradients(model, sum(expected)), gradients(model, sum(found))
    for name, gradient in first.items():
        torch.testing.assert_close(second[name], gradient, rtol=1e-4, atol=2e-5, msg=name)
    assert torch.isfinite(logits.mlm).all()
    assert torch.isfinite(logits.nsp).all()


@given(
    lengths=st.lists(st.integers(1, LENGTH), min_size=1, max_size=12),
    seed=st.integers(0, 99),
    segments=st.booleans(),
    capacity=st.one_of(st.none(), st.builds(Capacity, st.integers(1, 200), st.integers(1, 30), st.integers(1, 60),
                                            st.just(LENGTH))),
)  # fmt: skip
def test_every_token_and_every_prediction_is_there_once_and_in_its_place(lengths, seed, segments, capacity):
    chance = np.random.default_rng(seed)
    padded = rows(lengths, [int(chance.integers(1, length + 1)) for length in lengths], seed, segments)
    packed = pack(padded, capacity)
    bounds, layout = packed.layout.offsets.tolist(), packed.layout
    assert bounds[0] == 0
    assert bounds[-1] == len(packed.ids)
    assert (np.diff(bounds) >= 0).all()
    assert max(np.diff(bounds)) <= layout.longest
    width = padded.ids.shape[1]
    expected = list(zip(padded.predicted.tolist(), padded.masked_lm_labels.tolist(), strict=True))
    found = [
        (int(place), int(label))
        for place, label in zip(packed.predicted, packed.masked_lm_labels, strict=True)
        if label != IGNORED
    ]
    assert len(found) == packed.predictions == len(expected)
    for row, length in enumerate(lengths):
        first = bounds[row]
        assert bounds[row + 1] - first == length
        assert packed.ids[first : first + length].tolist() == padded.ids[row, :length].tolist()
        assert layout.positions[first : first + length].tolist() == list(range(length))
        place = row * layout.longest
        assert layout.grid[first : first + length].tolist() == list(range(place, place + length))
        if segments:
            assert packed.segments[first : first + length].tolist() == padded.segments[row, :length].tolist()
        own = [(place - row * width + first, label) for place, label in expected if place // width == row]
        assert [pair for pair in found if first <= pair[0] < first + length] == own
    assert packed.tokens == sum(lengths)
    assert packed.instances == len(lengths)
    labels = packed.next_sentence_labels.tolist()
    assert labels[: len(lengths)] == padded.next_sentence_labels.tolist()
    assert set(labels[len(lengths) :]) <= {IGNORED}
    if capacity is not None:
        assert len(packed.ids) == max(capacity.tokens, sum(lengths))
        assert len(packed.predicted) == max(capacity.predictions, len(expected))


@given(
    lengths=st.lists(st.integers(3, 128), min_size=1, max_size=80),
    bins=st.integers(1, 4),
    rate=st.sampled_from([0.15, 0.4]),
)
def test_what_fits_is_taken_in_order_and_shapes_hold(lengths, bins, rate):
    capacity = Capacity.of(4, 128, float(np.mean(lengths)), rate)
    found = fit(lengths, capacity, bins, rate)
    taken = [number for content in found for number in content]
    assert sorted(taken) == list(range(len(taken)))
    assert taken
    for content in filter(None, found):
        own = [lengths[number] for number in content]
        packed = pack(rows(own, [max(1, int(rate * (length - 2) + 0.5)) for length in own]), capacity)
        assert packed.ids.shape == (capacity.tokens,)
        assert packed.predicted.shape == (capacity.predictions,)
        assert len(packed.layout.offsets) == capacity.instances + 1


@given(lengths=st.lists(st.integers(3, 128), min_size=1, max_size=40), seed=st.integers(0, 9))
def test_a_batch_comes_in_one_of_a_few_shapes(lengths, seed):
    padded = rows(lengths, [max(1, length // 7) for length in lengths], seed)
    packed = pack(padded, Capacity.near(padded))
    spare = len(packed.ids) - sum(lengths)
    assert 0 <= spare < max(16, sum(lengths) / 32)
    assert len(packed.ids) % 16 == len(packed.predicted) % 8 == packed.layout.longest % 8 == 0
    assert packed.instances == len(lengths)


def test_a_thousand_batches_of_like_size_have_a_few_shapes():
    chance = np.random.default_rng(1)
    shapes = set()
    for tokens in chance.integers(3600, 4096, 1000).tolist():
        batch = Batch(
            torch.zeros(32, 128, dtype=torch.int64), None, None, torch.zeros(tokens // 7, dtype=torch.int64),
            torch.zeros(tokens // 7, dtype=torch.int64), None, tokens,
        )  # fmt: skip
        shapes.add(Capacity.near(batch).tokens)
    assert len(shapes) <= 20


def test_spare_instances_cost_a_cpu_no_attention(monkeypatch):
    """Of room for many instances only those that are there are worked on, and no wider than they are."""
    worked_on = []
    monkeypatch.setattr(attention, "dropped", lambda weight, _rate: worked_on.append(weight.shape) or weight)
    lengths = torch.tensor([5, 3, 0, 6] + [0] * 60)
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)]).int()
    owner = torch.arange(64).repeat_interleave(lengths)
    positions = torch.arange(14) - offsets[owner]
    layout = Packed(offsets, positions, owner * 512 + positions, 512)
    attend(torch.randn(14, 3 * 8), 2, layout, 0.1)
    assert sum(rows for rows, *_ in worked_on) == 4
    assert {tuple(shape[-2:]) for shape in worked_on} == {(5, 5), (6, 6)}, "two at a time"
