"""Left to right: what is predicted from where, no token sees the future, packed as padded, and a whole training."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fables import fable_store, small_training
from hypothesis import given
from hypothesis import strategies as st
from one_thread import one_thread  # noqa: F401
from packed_batches import LENGTH, gradients, losses, rows, without_dropout
from pydantic import ValidationError
from toy_bert import toy_bert
from toy_instances import CLS, SEP, TOKENIZER, epoch_of, instances_of, rows_of, settings_of, texts

from firth.bert.architecture import Architecture
from firth.bert.data import reference
from firth.bert.data.packing import Capacity, pack
from firth.bert.data.plan import Cursor
from firth.bert.data.steps import Steps
from firth.bert.data.text import Text
from firth.bert.folder import Bert
from firth.bert.model import Pretraining, initialise
from firth.bert.pretraining.evaluation import HeldOut
from firth.bert.pretraining.hidden import hidden_words
from firth.bert.pretraining.train import pretrain
from firth.config import bert as config


def causal_rows(lengths, **more):
    return rows(lengths, [max(1, length // 2) for length in lengths], **more)._replace(causal=True)


def settings(**more):
    return settings_of(**more).model_copy(update={"objective": "left_to_right"})


@given(documents=texts(), length=st.sampled_from([16, 17, 40]), pairs=st.booleans(), seed=st.integers(0, 99))
def test_every_instance_is_that_of_the_plain_python_reference(documents, length, pairs, seed):
    wanted = settings(length=length, next_sentence=pairs)
    instances = instances_of(documents, wanted, seed)
    batch = instances.batch(epoch_of(instances))
    assert batch.causal
    for index, row in enumerate(rows_of(batch)):
        if pairs:
            a, b, _ = reference.pair(documents, seed, 0, index, length, wanted.short_sequences)
        else:
            a, b = reference.segment(documents, seed, 0, index, length, wanted.short_sequences), []
        assert row == reference.left_to_right(a, b, TOKENIZER.special, CLS, SEP)


def test_each_token_but_special_ones_is_predicted_from_the_one_before_it():
    found = reference.left_to_right([7, 1, 8], [9], {0, 1, 2, 3, 4}, CLS, SEP)
    assert found.ids == [CLS, 7, 1, 8, SEP, 9, SEP]
    assert found.predicted == [0, 2, 4]
    assert found.masked_lm_labels == [7, 8, 9]


@torch.no_grad()
@given(st.lists(st.integers(1, LENGTH), min_size=1, max_size=5), st.integers(0, 99), st.data())
def test_no_token_sees_the_future_and_the_padded_layout_says_the_same(lengths, seed, data):
    """A token is changed: the vectors before it stay bit for bit, its own does not."""
    model = toy_bert(layers=2, positions=LENGTH).model.eval()
    batch = causal_rows(lengths, seed=seed)
    packed = pack(batch, Capacity(sum(lengths) + 5, len(lengths) + 3, 64, LENGTH))
    row = data.draw(st.integers(0, len(lengths) - 1))
    place = int(packed.layout.offsets[row]) + data.draw(st.integers(0, lengths[row] - 1))
    changed = packed.ids.clone()
    changed[place] = 5 + (changed[place] - 4) % 50
    before, after = (model.encoder.packed(ids, packed.segments, packed.layout) for ids in (packed.ids, changed))
    ends = packed.layout.offsets[row + 1]
    assert torch.equal(before[:place], after[:place])
    assert torch.equal(before[ends:], after[ends:])
    assert not torch.equal(before[place], after[place])
    padded = model.encoder(batch.ids, batch.segments, batch.mask, causal=True)
    real = torch.ones_like(batch.ids, dtype=torch.bool) if batch.mask is None else batch.mask
    torch.testing.assert_close(padded[real], before[: sum(lengths)], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("capacity", [None, Capacity(64, 9, 24, LENGTH), Capacity(30, 3, 7, LENGTH)])
@pytest.mark.parametrize("lengths", [[12, 7, 3, 8], [12, 12], [5]])
def test_packed_and_padded_have_the_same_losses_and_gradients(lengths, capacity):
    model = toy_bert(layers=2, positions=LENGTH).model.train()
    without_dropout(model)
    padded = causal_rows(lengths)
    packed = pack(padded, capacity)
    expected = losses(
        model(padded.ids, padded.segments, padded.mask, padded.predicted, causal=True),
        padded.masked_lm_labels,
        padded.next_sentence_labels,
    )
    found = losses(
        model.packed(packed.ids, packed.segments, packed.layout, packed.predicted),
        packed.masked_lm_labels,
        packed.next_sentence_labels,
    )
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    first, second = gradients(model, sum(expected)), gradients(model, sum(found))
    for name, gradient in first.items():
        torch.testing.assert_close(second[name], gradient, rtol=1e-4, atol=2e-5, msg=name)


@torch.no_grad()
def test_the_next_sentence_head_reads_the_only_token_that_has_seen_both_segments():
    model = toy_bert(layers=2, positions=LENGTH).model.eval()
    batch = causal_rows([8, 5])
    changed = batch.ids.clone()
    changed[1, 4] += 1  # the last token of the shorter row
    logits, other = (
        model(ids, batch.segments, batch.mask, batch.predicted, causal=True).nsp for ids in (batch.ids, changed)
    )
    assert torch.equal(logits[0], other[0])
    assert not torch.equal(logits[1], other[1])


@torch.no_grad()
def test_the_forward_pass_is_attention_to_what_came_before_written_out():
    model = toy_bert(layers=1, positions=LENGTH).model.eval()
    batch = causal_rows([LENGTH, LENGTH])
    hidden = model.encoder.embeddings(batch.ids, batch.segments)
    attention = model.encoder.layers[0].attention
    query, key, value = (
        part(hidden).view(2, LENGTH, attention.heads, -1).transpose(1, 2)
        for part in (attention.query, attention.key, attention.value)
    )
    context = torch.stack(
        [
            (query[:, :, i : i + 1] @ key[:, :, : i + 1].transpose(2, 3) / query.shape[3] ** 0.5).softmax(-1)
            @ value[:, :, : i + 1]
            for i in range(LENGTH)
        ],
        dim=2,
    ).squeeze(3)
    packed = pack(batch)
    found = attention(hidden.flatten(0, 1), packed.layout)
    expected = attention.output(context.transpose(1, 2).flatten(2)).flatten(0, 1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU here")
@torch.no_grad()
def test_flash_attention_reads_from_left_to_right_too():
    model = toy_bert(layers=2, positions=LENGTH).model.eval().to("cuda", torch.bfloat16)
    packed = pack(causal_rows([12, 7, 3])).to("cuda")
    changed = packed.ids.clone()
    changed[9] = 5 + (changed[9] - 4) % 50
    before, after = (model.encoder.packed(ids, packed.segments, packed.layout) for ids in (packed.ids, changed))
    assert torch.equal(before[:9], after[:9])
    assert torch.equal(before[12:], after[12:])
    assert not torch.equal(before[9:12], after[9:12])
    plain = model.float().encoder.packed(packed.ids, packed.segments, packed.layout)
    torch.testing.assert_close(before.float(), plain, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("packing", [False, True])
def test_a_packed_step_has_room_for_all_that_is_predicted(tmp_path, packing):
    store = fable_store(tmp_path / "store")
    wanted = small_training(objective="left_to_right", packing=packing, dropout=0.0)
    steps = Steps(Text.of(store.train), store.tokenizer, wanted)
    step = steps.at(0, Cursor())
    ordinary = sum(
        int((~torch.isin(batch.ids, torch.tensor(sorted(store.tokenizer.special)))).sum()) for batch in step.batches
    )
    assert step.predictions == ordinary
    if packing:
        assert {len(batch.predicted) for batch in step.batches} == {steps.phases[0].capacity.predictions}
        assert step.padding < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"packing": True}, {"next_sentence": False, "micro_batch": 4}])
def test_a_training_learns_to_predict_held_out_text(tmp_path, changes):
    store = fable_store(tmp_path / "store")
    wanted = small_training(objective="left_to_right", steps=30, **changes)
    trained = pretrain(store, wanted, tmp_path / "run", lambda _step, _metrics: None)
    looks = [row["heldout"] for row in trained.history if "heldout" in row]
    assert looks[-1]["mlm_loss"] < looks[0]["mlm_loss"]
    held = HeldOut.of(store, wanted, 20_181_011)
    assert looks[-1]["predictions"] == sum(len(batch.predicted) for batch in held.batches)
    assert looks[-1]["predictions"] > 4 * HeldOut.of(store, small_training(), 20_181_011).batches[0].predictions
    batch = held.batches[0]
    with torch.no_grad():
        logits = trained.bert.model.packed(batch.ids, batch.segments, batch.layout, batch.predicted)
    assert np.isfinite(float(F.cross_entropy(logits.mlm, batch.masked_lm_labels)))


@torch.no_grad()
def test_a_model_is_asked_for_the_words_that_masking_hides_but_reads_the_text_to_their_left(tmp_path):
    """Word for word, with the instance cut off behind what may be seen."""
    store = fable_store(tmp_path / "store")
    model = Pretraining(Architecture.of("tiny", len(store.tokenizer), 64, 0.0)).eval()
    initialise(model, 1)
    bert, wanted = Bert(model, store.tokenizer, {}), small_training(objective="left_to_right")
    found = hidden_words(bert, store, wanted, seed=3, causal=True)
    masked = HeldOut.of(store, small_training(), 3)
    losses = []
    for batch in masked.batches:
        ids = batch.ids.clone()
        ids[batch.predicted] = batch.masked_lm_labels
        for place, label in zip(batch.predicted.tolist(), batch.masked_lm_labels.tolist(), strict=True):
            if batch.ids[place] != store.tokenizer.mask:
                continue
            first = int(batch.layout.offsets[batch.layout.offsets <= place].max())
            own = slice(first, place)
            segments = batch.segments[own][None]
            logits = model(ids[own][None], segments, None, torch.tensor([place - first - 1]), causal=True).mlm
            losses.append(float(F.cross_entropy(logits, torch.tensor([label]))))
    assert found.positions == len(losses) == hidden_words(bert, store, wanted, seed=3).positions
    assert found.loss == pytest.approx(np.mean(losses), abs=1e-4)


def test_whole_words_are_refused_where_nothing_is_masked():
    with pytest.raises(ValidationError, match=r"masking\.whole_words does not go with objective left_to_right"):
        config.Bert(objective="left_to_right", masking={"whole_words": True})
