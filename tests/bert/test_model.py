"""The model against its definition: attention written out, masks, heads, first weights."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from one_thread import one_thread  # noqa: F401
from toy_bert import toy_bert

from firth.bert.architecture import Architecture
from firth.bert.dropout import Dropout
from firth.bert.model import Pretraining, initialise

SHAPE = Architecture(vocabulary=60, layers=3, hidden=24, heads=3, intermediate=48, positions=20)
SMALL = toy_bert(layers=2)


@pytest.fixture
def model():
    return toy_bert(layers=3).model


def batch(rows=3, length=12, seed=0):
    chance = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 60, (rows, length), generator=chance)
    segments = (torch.arange(length) >= length // 2).long().expand(rows, length).contiguous()
    real = torch.randint(1, length, (rows,), generator=chance)
    real[0] = length
    return ids, segments, torch.arange(length) < real[:, None]


@torch.no_grad()
@pytest.mark.parametrize("masked", [False, True])
def test_the_forward_pass_is_that_of_the_paper(model, masked):
    """Section 3 of Vaswani et al., with every step written out for each head by itself."""
    ids, segments, mask = batch()
    embeddings = model.encoder.embeddings
    hidden = embeddings.tokens.weight[ids] + embeddings.segments.weight[segments] + embeddings.positions.weight[:12]
    hidden = normed(embeddings.norm, hidden)
    for layer in model.encoder.layers:
        attention, heads = layer.attention, []
        for head in range(4):
            own = slice(8 * head, 8 * head + 8)
            q, k, v = (
                hidden @ part.weight[own].T + part.bias[own]
                for part in (attention.query, attention.key, attention.value)
            )
            scores = torch.einsum("bid,bjd->bij", q, k) / math.sqrt(8)
            if masked:
                scores = scores.where(mask[:, None, :], -torch.inf)
            heads.append(torch.einsum("bij,bjd->bid", scores.softmax(-1), v))
        together = torch.cat(heads, -1) @ attention.output.weight.T + attention.output.bias
        hidden = normed(layer.attention_norm, hidden + together)
        wide = hidden @ layer.intermediate.weight.T + layer.intermediate.bias
        wide = wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2)))
        hidden = normed(layer.output_norm, hidden + wide @ layer.output.weight.T + layer.output.bias)
    found = model.encoder(ids, segments, mask if masked else None)
    torch.testing.assert_close(found, hidden, atol=2e-5, rtol=0)


def normed(norm, x):
    centred = x - x.mean(-1, keepdim=True)
    return norm.weight * centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-12).sqrt() + norm.bias


@torch.no_grad()
def test_attention_weights_are_those_the_forward_pass_uses(model):
    ids, segments, mask = batch()
    weights = model.encoder.attentions_of(ids, segments, mask)
    layers = model.encoder.layers_of(ids, segments, mask)
    assert len(weights) == 3
    for layer, weight, hidden in zip(model.encoder.layers, weights, layers[:-1], strict=True):
        assert weight.shape == (3, 4, 12, 12)
        torch.testing.assert_close(weight.sum(-1), torch.ones(3, 4, 12))
        assert (weight.transpose(1, 3)[~mask] == 0).all()
        value = layer.attention.value(hidden).view(3, 12, 4, 8).transpose(1, 2)
        context = (weight @ value).transpose(1, 2).reshape(3, 12, 32)
        used = layer.attention(hidden, mask[:, None, None, :])
        torch.testing.assert_close(layer.attention.output(context), used, atol=1e-5, rtol=0)


@torch.no_grad()
def test_layers_of_ends_with_the_output(model):
    ids, segments, mask = batch()
    layers = model.encoder.layers_of(ids, segments, mask)
    assert len(layers) == 4
    assert torch.equal(layers[-1], model.encoder(ids, segments, mask))
    assert torch.equal(layers[0], model.encoder.embeddings(ids, segments))


@torch.no_grad()
@settings(max_examples=15)
@given(st.integers(1, 11), st.integers(0, 2**16))
def test_padding_changes_nothing(length, seed):
    model = SMALL.model
    ids, segments, _ = batch(seed=seed)
    mask = (torch.arange(12) < length).expand(3, 12)
    padded = model.encoder(ids, segments, mask)[:, :length]
    bare = model.encoder(ids[:, :length], segments[:, :length])
    torch.testing.assert_close(padded, bare, atol=1e-5, rtol=0)


@torch.no_grad()
def test_no_segments_are_all_first_segments(model):
    ids, _, mask = batch()
    torch.testing.assert_close(model.encoder(ids, None, mask), model.encoder(ids, torch.zeros_like(ids), mask))


def test_no_mask_is_made_where_there_is_no_padding(model, monkeypatch):
    seen = []
    plain = F.scaled_dot_product_attention

    def spy(*args, attn_mask=None, **more):
        seen.append(attn_mask)
        return plain(*args, attn_mask=attn_mask, **more)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    ids, segments, mask = batch()
    model(ids, segments, None, torch.tensor([0]))
    assert seen == [None] * 3
    model(ids, segments, mask, torch.tensor([0]))
    assert seen[-1].shape == (3, 1, 1, 12)


@torch.no_grad()
def test_only_predicted_tokens_get_logits(model):
    ids, segments, mask = batch()
    predicted = torch.tensor([0, 13, 35, 13])
    logits = model(ids, segments, mask, predicted)
    everywhere = model(ids, segments, mask, torch.arange(36)).mlm
    assert logits.mlm.shape == (4, SMALL.model.architecture.vocabulary)
    assert logits.nsp.shape == (3, 2)
    torch.testing.assert_close(logits.mlm, everywhere[predicted], atol=1e-5, rtol=0)
    hidden = model.encoder(ids, segments, mask)
    alone = model.mlm(hidden[1, 1], model.encoder.embeddings.tokens.weight)
    torch.testing.assert_close(logits.mlm[1], alone, atol=1e-5, rtol=0)
    first = torch.tanh(hidden[:, 0] @ model.pooler.dense.weight.T + model.pooler.dense.bias)
    torch.testing.assert_close(logits.nsp, model.nsp(first), atol=1e-5, rtol=0)


def test_the_decoder_is_the_token_embeddings(model):
    assert not [name for name in model.state_dict() if "decoder" in name]
    ids, segments, mask = batch()
    ids[ids == 59] = 58
    model(ids, segments, mask, torch.tensor([3])).mlm[0, 59].backward()
    assert model.encoder.embeddings.tokens.weight.grad[59].abs().sum() > 0


def test_dropout_is_seeded_and_only_in_training():
    model = Pretraining(SHAPE)
    initialise(model, 1)
    ids, segments, _ = batch()
    model.train()
    torch.manual_seed(5)
    first = model.encoder(ids, segments)
    other = model.encoder(ids, segments)
    torch.manual_seed(5)
    assert torch.equal(first, model.encoder(ids, segments))
    assert not torch.equal(first, other)
    model.eval()
    assert torch.equal(model.encoder(ids, segments), model.encoder(ids, segments))


def test_attention_is_dropped_in_training():
    """With the hidden states' dropout switched off, what is left is that of the attention weights."""
    model = Pretraining(SHAPE)
    initialise(model, 1)
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = 0.0
    ids, segments, _ = batch()
    model.train()
    assert not torch.equal(model.encoder(ids, segments), model.encoder(ids, segments))


class TestFirstWeights:
    def test_the_seed_alone_decides(self):
        models = []
        for state in (1, 2):
            torch.manual_seed(state)
            model = Pretraining(SHAPE)
            torch.rand(state)
            before = torch.get_rng_state()
            initialise(model, 7)
            assert torch.equal(before, torch.get_rng_state())
            models.append(model.state_dict())
        assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
        initialise(model, 8)
        assert not torch.equal(models[0]["nsp.weight"], model.nsp.weight)

    def test_they_are_the_papers(self):
        model = Pretraining(Architecture.of("tiny", 2_000))
        for parameter in model.parameters():
            parameter.data.fill_(9.0)
        initialise(model, 3)
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                assert (parameter == (1.0 if name.endswith("norm.weight") else 0.0)).all(), name
        drawn = model.encoder.embeddings.tokens.weight
        assert drawn.abs().max() <= 0.04
        assert drawn.std().item() == pytest.approx(0.02 * 0.8796, rel=0.01), "a normal cut off at two deviations"
        assert abs(drawn.mean().item()) < 2e-4
