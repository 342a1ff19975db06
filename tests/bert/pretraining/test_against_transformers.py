"""Pretraining with the parts of others: the model of `transformers`, torch's AdamW and its clipping, a loop by hand."""

import numpy as np
import pytest
import torch
from fable_training import unwatched, weights
from fables import fable_store, small_training
from transformers import BertForPreTraining

from firth.bert.data.instances import Instances, Text
from firth.bert.data.plan import Cursor
from firth.bert.folder import Bert
from firth.bert.pretraining import loop
from firth.bert.pretraining.continuation import first_weights
from firth.bert.pretraining.train import pretrain
from firth.config.bert import Optimizer
from firth.encode.interchange import read_hf, write_hf

STEPS = 60
LOSSES = 1e-5
"""Nats. Sums in another order; they are at most 1.3e-6 apart."""


@pytest.mark.slow
def test_sixty_steps_have_the_losses_of_transformers_and_torch(tmp_path, monkeypatch):
    """Same first weights, same instances, no dropout: every step's losses, and the weights that come out."""
    monkeypatch.setattr(loop, "ROW_STEPS", 1)
    store = fable_store(tmp_path / "pieces")
    optimizer = Optimizer(learning_rate=1e-3, warmup_steps=10, weight_decay=0.1, clip=1.0)
    settings = small_training(steps=STEPS, dropout=0.0, optimizer=optimizer, checkpoint_seconds=1e9)
    ours = pretrain(store, settings, tmp_path / "run", unwatched)

    first = Bert(first_weights(settings, store.tokenizer, None), store.tokenizer, ours.bert.heads)
    write_hf(first, tmp_path / "first")
    none = {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
    model = BertForPreTraining.from_pretrained(tmp_path / "first", **none)
    model.train()
    named = list(model.named_parameters())
    plain = [parameter for name, parameter in named if name.endswith("bias") or "LayerNorm" in name]
    decayed = [parameter for name, parameter in named if not name.endswith("bias") and "LayerNorm" not in name]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, betas=(optimizer.beta1, optimizer.beta2), eps=optimizer.epsilon)
    instances = Instances(Text.of(store.train), store.tokenizer, settings, settings.seed, settings.next_sentence)
    cursor = Cursor()
    for row in ours.history:
        chosen, cursor = instances.following(cursor, settings.batch)
        batch = instances.batch(chosen)
        labels = torch.full((batch.ids.numel(),), -100)
        labels[batch.predicted] = batch.masked_lm_labels
        out = model(
            input_ids=batch.ids, token_type_ids=batch.segments, attention_mask=batch.mask,
            labels=labels.view(batch.ids.shape), next_sentence_label=batch.next_sentence_labels,
        )  # fmt: skip
        assert out.loss.item() == pytest.approx(row["mlm_loss"] + row["nsp_loss"], abs=LOSSES), row["step"]
        adamw.zero_grad()
        out.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in adamw.param_groups:
            group["lr"] = row["learning_rate"]
        adamw.step()

    assert ours.history[-1]["mlm_loss"] < ours.history[0]["mlm_loss"] - 0.5
    model.save_pretrained(tmp_path / "last")
    store.tokenizer.save(tmp_path / "last")
    found = read_hf(tmp_path / "last").model.state_dict()
    for name, array in weights(ours).items():
        np.testing.assert_allclose(found[name].numpy(), array, atol=1e-4, err_msg=name)
